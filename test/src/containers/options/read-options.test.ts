import { describe, expect, it } from "@jest/globals";
import { BerthError } from "../../../../runner/errors.ts";
import { readOptions } from "../../../../src/containers/options/read-options.ts";

describe("an option has the meaning that docker create gives it", () => {
  it.each([
    ["--memory 512m", { Memory: 512 * 1024 ** 2 }],
    ["--memory=1.5GiB", { Memory: 1.5 * 1024 ** 3 }],
    ["-m 1024", { Memory: 1024 }],
    ["-m2g", { Memory: 2 * 1024 ** 3 }],
    ["-m=64kb", { Memory: 64 * 1024 }],
    ["--memory 16GB", { Memory: 16 * 1024 ** 3 }],
    ["--memory-swap -1", { MemorySwap: -1 }],
    ["--memory-swap 1g", { MemorySwap: 1024 ** 3 }],
    ["--memory-reservation 256m", { MemoryReservation: 256 * 1024 ** 2 }],
    ["--memory-swappiness 0", { MemorySwappiness: 0 }],
    ["--cpus 1.5", { NanoCpus: 1_500_000_000 }],
    ["--cpus=.25", { NanoCpus: 250_000_000 }],
    ["--cpu-shares 512", { CpuShares: 512 }],
    ["-c 512", { CpuShares: 512 }],
    ["--cpu-period 50000 --cpu-quota 25000", { CpuPeriod: 50_000, CpuQuota: 25_000 }],
    ["--cpuset-cpus 0-1,3 --cpuset-mems 0", { CpusetCpus: "0-1,3", CpusetMems: "0" }],
    ["--pids-limit 100", { PidsLimit: 100 }],
    ["--pids-limit=-1", { PidsLimit: -1 }],
    ["--shm-size 1g", { ShmSize: 1024 ** 3 }],
    ["--ulimit nofile=1024:2048", { Ulimits: [{ Name: "nofile", Soft: 1024, Hard: 2048 }] }],
    ["--ulimit core=0 --ulimit core=-1", { Ulimits: [{ Name: "core", Soft: -1, Hard: -1 }] }],
    ["--gpus all", { DeviceRequests: [{ Count: -1, Capabilities: [["gpu"]] }] }],
    ["--gpus 2", { DeviceRequests: [{ Count: 2, Capabilities: [["gpu"]] }] }],
    [
      `--gpus '"device=0,GPU-1"'`,
      { DeviceRequests: [{ DeviceIDs: ["0", "GPU-1"], Capabilities: [["gpu"]] }] },
    ],
    [
      "--gpus driver=nvidia,capabilities=utility",
      { DeviceRequests: [{ Count: 1, Driver: "nvidia", Capabilities: [["utility", "gpu"]] }] },
    ],
    [
      "--device /dev/fuse",
      {
        Devices: [
          { PathOnHost: "/dev/fuse", PathInContainer: "/dev/fuse", CgroupPermissions: "rwm" },
        ],
      },
    ],
    [
      "--device /dev/sda:/dev/xvda:r --device /dev/null:rw",
      {
        Devices: [
          { PathOnHost: "/dev/sda", PathInContainer: "/dev/xvda", CgroupPermissions: "r" },
          { PathOnHost: "/dev/null", PathInContainer: "/dev/null", CgroupPermissions: "rw" },
        ],
      },
    ],
    [
      "--device nvidia.com/gpu=all",
      { DeviceRequests: [{ Driver: "cdi", DeviceIDs: ["nvidia.com/gpu=all"] }] },
    ],
    ["--device-cgroup-rule 'c 1:3 rwm'", { DeviceCgroupRules: ["c 1:3 rwm"] }],
    [
      "--device-read-bps /dev/sda:1mb",
      { BlkioDeviceReadBps: [{ Path: "/dev/sda", Rate: 2 ** 20 }] },
    ],
    ["--blkio-weight 300", { BlkioWeight: 300 }],
    ["--privileged", { Privileged: true }],
    ["--privileged=false", { Privileged: false }],
    ["--cap-add SYS_PTRACE --cap-drop=ALL", { CapAdd: ["SYS_PTRACE"], CapDrop: ["ALL"] }],
    [
      "--security-opt seccomp=unconfined --security-opt no-new-privileges",
      { SecurityOpt: ["seccomp=unconfined", "no-new-privileges"] },
    ],
    ["--security-opt label:disable", { SecurityOpt: ["label=disable"] }],
    [
      "--add-host db:10.0.0.2 --add-host up=host-gateway --add-host six:[::1]",
      { ExtraHosts: ["db:10.0.0.2", "up:host-gateway", "six:::1"] },
    ],
    ["--dns 1.1.1.1 --dns-search a.b", { Dns: ["1.1.1.1"], DnsSearch: ["a.b"] }],
    ["--dns-option ndots:2", { DnsOptions: ["ndots:2"] }],
    ["--init", { Init: true }],
    ["--init=false", { Init: false }],
    ["--ipc host --pid host --uts host", { IpcMode: "host", PidMode: "host", UTSMode: "host" }],
    ["--userns host --cgroupns private", { UsernsMode: "host", CgroupnsMode: "private" }],
    ["--read-only", { ReadonlyRootfs: true }],
    ["--tmpfs /tmp --tmpfs /run:size=64m", { Tmpfs: { "/tmp": "", "/run": "size=64m" } }],
    ["--runtime runc", { Runtime: "runc" }],
    ["--group-add audio --group-add 44", { GroupAdd: ["audio", "44"] }],
    ["--sysctl net.core.somaxconn=1024", { Sysctls: { "net.core.somaxconn": "1024" } }],
    ["--oom-kill-disable --oom-score-adj 500", { OomKillDisable: true, OomScoreAdj: 500 }],
    ["--cgroup-parent /x", { CgroupParent: "/x" }],
    ["--storage-opt size=1g", { StorageOpt: { size: "1g" } }],
    ["--volumes-from other -P", { VolumesFrom: ["other"], PublishAllPorts: true }],
  ])("%s", (text, host) => {
    expect(readOptions(text).host).toEqual(host);
  });

  it.each([
    ["-h box --domainname lan", { Hostname: "box", Domainname: "lan" }],
    ["--user 1000:1000 -w /app", { User: "1000:1000", WorkingDir: "/app" }],
    ["-uroot", { User: "root" }],
    ["--entrypoint /bin/true", { Entrypoint: ["/bin/true"] }],
    ['--entrypoint ""', { Entrypoint: [""] }],
    ["--stop-signal SIGINT --stop-timeout 5", { StopSignal: "SIGINT", StopTimeout: 5 }],
    ["--no-healthcheck", { Healthcheck: { Test: ["NONE"] } }],
    [
      '--health-cmd "pg_isready -U \\"me\\"" --health-interval 1m30s --health-timeout=500ms --health-retries 5 --health-start-period 0',
      {
        Healthcheck: {
          Test: ["CMD-SHELL", 'pg_isready -U "me"'],
          Interval: 90e9,
          Timeout: 5e8,
          Retries: 5,
          StartPeriod: 0,
        },
      },
    ],
  ])("%s", (text, config) => {
    expect(readOptions(text).config).toEqual(config);
  });

  it.each([
    ["--network host", { name: "host", aliases: [] }],
    ["--net none", { name: "none", aliases: [] }],
    ["--network container:abc", { name: "container:abc", aliases: [] }],
    ["--network mine --network-alias a --network-alias b", { name: "mine", aliases: ["a", "b"] }],
    ["--network mine --ip 10.1.0.5", { name: "mine", aliases: [], ipv4: "10.1.0.5" }],
    ["--network name=mine,alias=web", { name: "mine", aliases: ["web"] }],
  ])("%s", (text, network) => {
    expect(readOptions(text).networks).toEqual([network]);
  });

  it.each([
    ["-v /data:/data:ro", { Type: "bind", Source: "/data", Target: "/data", ReadOnly: true }],
    ["-v cache:/cache", { Type: "volume", Source: "cache", Target: "/cache" }],
    [
      "--volume cache:/c:nocopy",
      { Type: "volume", Source: "cache", Target: "/c", VolumeOptions: { NoCopy: true } },
    ],
    [
      "--mount type=bind,source=/a,target=/b,readonly",
      { Type: "bind", Source: "/a", Target: "/b", ReadOnly: true },
    ],
    ["--mount src=named,dst=/b", { Type: "volume", Source: "named", Target: "/b" }],
    [
      "--mount type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1770",
      { Type: "tmpfs", Target: "/t", TmpfsOptions: { SizeBytes: 2 ** 20, Mode: 0o1770 } },
    ],
    [
      `--mount 'type=volume,dst=/v,volume-driver=local,"volume-opt=o=size=1m,uid=1"'`,
      {
        Type: "volume",
        Target: "/v",
        VolumeOptions: { DriverConfig: { Name: "local", Options: { o: "size=1m,uid=1" } } },
      },
    ],
  ])("%s", (text, mount) => {
    expect(readOptions(text).mounts).toEqual([mount]);
  });

  it.each([
    ["-p 80", [["", "", 80, "tcp"]]],
    ["-p 8080:80/udp", [["", "8080", 80, "udp"]]],
    ["-p 127.0.0.1::80", [["127.0.0.1", "", 80, "tcp"]]],
    ["-p [::1]:8080:80", [["::1", "8080", 80, "tcp"]]],
    ["-p 0:80", [["", "", 80, "tcp"]]],
    [
      "-p 8000-8001:80-81",
      [
        ["", "8000", 80, "tcp"],
        ["", "8001", 81, "tcp"],
      ],
    ],
    ["-p 8000-8010:80", [["", "8000-8010", 80, "tcp"]]],
    ["--publish published=8080,target=80,protocol=tcp", [["", "8080", 80, "tcp"]]],
  ])("%s", (text, ports) => {
    const found = readOptions(text).ports.map((port) => [
      port.hostIp,
      port.hostPort,
      port.containerPort,
      port.protocol,
    ]);

    expect(found).toEqual(ports);
  });

  it("takes names, labels, variables, platform and exposed ports", () => {
    const read = readOptions(
      "--name web --label a=b -l c -e A=1 --env 'B=two words' -eC=3 --platform linux/amd64 --expose 3000-3001 --pull never -v /scratch",
    );

    expect(read).toMatchObject({
      name: "web",
      labels: { a: "b", c: "" },
      env: ["A=1", "B=two words", "C=3"],
      platform: "linux/amd64",
      exposedPorts: ["3000/tcp", "3001/tcp"],
      pull: "never",
      anonymousVolumes: ["/scratch"],
    });
  });
});

describe("what is accepted though it changes nothing", () => {
  it.each(["--rm", "-it", "-i", "-t", "--interactive", "--tty=true"])("%s is noted", (text) => {
    expect(readOptions(text).notes.join()).toContain("changes nothing here");
  });
});

describe("what Berth needs for itself is refused with a sentence", () => {
  it.each([
    ["-d", "-d is refused"],
    ["--detach", "--detach is refused"],
    ["--restart always", "--restart is refused"],
    ["--log-driver none", "--log-driver is refused"],
    ["--log-opt max-size=1m", "--log-opt is refused"],
    ["--cidfile /tmp/x", "--cidfile is refused"],
    ["--isolation hyperv", "Windows"],
    ["--label io.berth.job=x", "Berth's own"],
    ["--env-file /etc/passwd", "not open to jobs"],
  ])("%s", (text, words) => {
    expect(refusal(text)).toMatchObject({ code: "CONTAINER_OPTION" });
    expect(refusal(text)?.message).toContain(words);
  });
});

describe("a mistake names the option and the value", () => {
  it.each([
    ["--memroy 1g", "--memroy is unknown", "--memory"],
    ["--net-work host", "--net-work is unknown", "--network"],
    ["--frobnicate", "--frobnicate is unknown", "docs/container-options.md"],
    ["--constructor x", "--constructor is unknown", ""],
    ["-itz", "-z (in -itz) is unknown", ""],
    ["debian", '"debian" in the container options is not an option', ""],
    ["--", '"--"', ""],
    ["--memory", "--memory lacks its value", ""],
    ["--memory lots", '"lots" of --memory', "512m"],
    ["--memory -5", '"-5" of --memory', ""],
    ["-m 1zb", '"1zb" of -m', ""],
    ["--cpus two", '"two" of --cpus', ""],
    ["--cpus 0.12345678901", "nine decimals", ""],
    ["--cpu-shares 1.5", '"1.5" of --cpu-shares', ""],
    ["--init=maybe", '"maybe" of --init', ""],
    ["--ulimit nofile", "name=soft", ""],
    ["--ulimit files=3", "none of core", ""],
    ["--ulimit nofile=5:3", "above the hard limit", ""],
    ["--gpus device=0,1", "both a count and devices", "Quote"],
    ["--gpus many", '"many" of --gpus', ""],
    ["--device fuse", '"fuse" of --device', ""],
    ["--device /dev/a:/dev/b:x", "no mode", ""],
    ["--device-cgroup-rule x", '"x" of --device-cgroup-rule', ""],
    ["--blkio-weight 2000", "between 0 and 1000", ""],
    ["-p 99999", '"99999"', ""],
    ["-p 80/icmp", "none of tcp, udp, sctp", ""],
    ["-p 1-2:3-5", "different lengths", ""],
    ["-p localhost:80:80", "no IP address", ""],
    ["-v ./here:/there", "relative path", "whole path"],
    ["-v ~/x:/x", "relative path", ""],
    ["-v /a:b", "not an absolute path in the container", ""],
    ["-v /a:/b:rx", '"rx" is no mode', ""],
    ["-v /a:/", "/ is taken", ""],
    ["--mount target=/a,colour=red", '"colour" is not part of a mount', ""],
    ["--mount type=bind,src=x,dst=/y", "not an absolute path of the host", ""],
    ["--mount type=bind,src=/x", "no target", ""],
    ["--mount type=tmpfs,dst=/y,volume-nocopy", "volume-…", ""],
    ["--tmpfs tmp", "not absolute", ""],
    ["--add-host db", "name:address", ""],
    ["--add-host db:there", "no IP address", ""],
    ["--dns localhost", "no IP address", ""],
    ["--network host --network other", "beside another network", ""],
    ["--network host --network-alias x", "has no aliases", ""],
    ["--ip 10.0.0.1", "no --network before it", ""],
    ["--health-interval 10", '"10" of --health-interval', "unit"],
    ["--health-retries -1", "the least is 0", ""],
    ["--no-healthcheck --health-cmd x", "beside it", ""],
    ["--workdir here", "not an absolute path", ""],
    ["--security-opt seccomp=/etc/x.json", "the profile itself", ""],
    ["--pull sometimes", "none of always", ""],
    ["--name 'a b'", "not a name", ""],
    ["--env =x", "no name", ""],
    ['--health-cmd "open', "never closed", ""],
  ])("%s", (text, message, remedy) => {
    const error = refusal(text);

    expect(error?.code).toBe("CONTAINER_OPTION");
    expect(error?.message).toContain(message);
    expect(error?.remedy).toContain(remedy);
  });
});

describe("words", () => {
  it.each([
    ["quotes group", `-e "A=1 2" -e 'B=3 4'`, ["A=1 2", "B=3 4"]],
    ["quotes within a word", `-e A="1 2"3`, ["A=1 23"]],
    ["an escaped quote", `-e "A=\\"x\\""`, ['A="x"']],
    ["a kept backslash", `-e "A=\\$HOME\\n"`, ["A=\\$HOME\\n"]],
    ["single quotes within double ones", `-e "A='x'"`, ["A='x'"]],
    ["lines", "-e A=1\n  -e B=2\n", ["A=1", "B=2"]],
    ["a value that looks like an option", "-e --memory=1", ["--memory=1"]],
    ["nothing", "  ", []],
  ])("%s", (_title, text, env) => {
    expect(readOptions(text).env).toEqual(env);
  });
});

describe("what lies on this machine", () => {
  const files = {
    environment: { HOME: "/home/me" },
    readTextFile: (path: string) => {
      if (path !== "vars") throw new Error("no such file");
      return "# comment\nA=1\n\n  B=x # y\nHOME\r\nNONE\n";
    },
  };

  it("gives a bare --env this process's value, or takes the variable away", () => {
    expect(readOptions("-e HOME -e NONE", files).env).toEqual(["HOME=/home/me", "NONE"]);
    expect(readOptions("-e HOME").env).toEqual(["HOME"]);
  });

  it("reads an --env-file as Docker does", () => {
    const read = readOptions("--env-file vars", files);

    expect(read.env).toEqual(["A=1", "B=x # y", "HOME=/home/me", "NONE"]);
  });

  it("says which file it cannot read", () => {
    expect(refusal("--env-file gone", files)?.message).toContain('"gone" of --env-file');
  });
});

function refusal(text: string, files = {}): BerthError | undefined {
  try {
    readOptions(text, files);
  } catch (error) {
    if (error instanceof BerthError) return error;
    throw error;
  }
  return undefined;
}
