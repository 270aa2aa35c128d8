import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "@jest/globals";
import type Docker from "dockerode";
import type { ContainerSpec } from "../../../runner/job/container-spec.ts";
import { type JobPlaceOptions, openJobPlace } from "../../../src/containers/job-place.ts";
import { JOB_LABEL, OWNER_LABEL } from "../../../src/containers/labels.ts";
import { thisOwner } from "../../../src/containers/owner.ts";
import { reopenJobPlace } from "../../../src/containers/reopen-job-place.ts";
import { engineForTests } from "./engine.ts";
import { tinyImage } from "./tiny-image.ts";

const PREFIX = `berth-test/place-${process.pid}`;
const ROOT = `${PREFIX}:root`;
const NAMED = `${PREFIX}:named`;
const NUMBERED = `${PREFIX}:numbered`;
const SHELL_LESS = `${PREFIX}:no-shell`;
const RUN = `test-${process.pid}`;

const images = new AsyncDisposableStack();
let docker: Docker;
let folder: string;
let leaks: unknown[];
let lines: string[];

beforeAll(async () => {
  ({ docker } = await engineForTests());
  folder = await mkdtemp(join(tmpdir(), "berth-place-"));
  const people = ["app:x:1234:2345::/home/app:/bin/sh"];
  const groups = ["crew:x:3456:"];
  images.use(await tinyImage(docker, ROOT, { people, groups }));
  images.use(await tinyImage(docker, NAMED, { people, groups, changes: ["USER app:crew"] }));
  images.use(await tinyImage(docker, NUMBERED, { changes: ["USER 4321"] }));
  images.use(await tinyImage(docker, SHELL_LESS, { shell: false }));
});

afterAll(async () => {
  await images.disposeAsync();
  await rm(folder, { recursive: true, force: true });
});

afterEach(async () => {
  expect(leaks).toEqual([]);
  expect(await leftOvers()).toEqual([]);
});

describe("a job's container", () => {
  it("is a shell with the folders of GitHub's runner, which its user owns", async () => {
    await using place = await open(aContainer());

    expect(
      await say(place, "ls -ldn /__w/repo/repo /__w/_temp /__t /github/home; pwd; id -u"),
    ).toBe("/__t 0\n/__w/_temp 0\n/__w/repo/repo 0\n/github/home 0\n/__w/repo/repo\n0\n");
    expect(place.paths).toEqual({
      workspace: "/__w/repo/repo",
      temp: "/__w/_temp",
      actions: "/__w/_actions",
      toolCache: "/__t",
      eventFile: "/github/workflow/event.json",
      home: "/github/home",
    });
  });

  it.each([
    ["a user name of the image", NAMED, "", "1234"],
    ["a number that the image has no name for", NUMBERED, "", "4321"],
    ["a user name of --user", ROOT, "--user app", "1234"],
    ["a number of --user", NAMED, "-u 77:88", "77"],
  ])("belongs to %s", async (_who, image, options, uid) => {
    await using place = await open(aContainer({ image, options }));

    expect(await say(place, "touch $HOME/a /__w/repo/repo/b /__w/_temp/c /__t/d; id -u")).toBe(
      `${uid}\n`,
    );
  });

  it("has the container's own HOME when the job has no container of its own", async () => {
    await using place = await open(undefined, { image: NAMED });

    expect(place.paths.home).toBeUndefined();
    expect(await say(place, "echo $HOME")).toBe("/home/app\n");
  });

  it("works with a root file system that is read-only", async () => {
    await using place = await open(aContainer({ image: NAMED, options: "--read-only" }));

    expect(await say(place, "touch /__w/repo/repo/a $HOME/b && echo ok; touch /x || echo no")).toBe(
      "ok\nno\n",
    );
  });

  it("has the environment of env, over that of the options, over the image's", async () => {
    const spec = aContainer({ env: { A: "env", B: "a b" }, options: "-e A=options -e C=options" });
    await using place = await open(spec);

    expect(await say(place, 'echo "$A|$B|$C|$PATH"')).toBe("env|a b|options|/bin\n");
  });

  it("keeps two streams apart and keeps a log", async () => {
    await using place = await open(aContainer());

    expect(await say(place, "echo out; echo err >&2; echo last")).toBe("out\nlast\n");
    const log: string[] = [];
    const signal = AbortSignal.timeout(10_000);
    for await (const { stream, data } of place.backend.readLog?.({ signal }) ?? []) {
      log.push(`${stream} ${data}`);
    }
    expect(log.sort()).toEqual(["stderr err\n", "stdout last\n", "stdout out\n"]);
  });

  it("limits what its options limit", async () => {
    const options = "--memory 64m --pids-limit 50 --shm-size 8m --ulimit nofile=100";
    await using place = await open(aContainer({ options }));

    const { HostConfig: host } = await docker.getContainer(place.containerId).inspect();
    expect(host).toMatchObject({ Memory: 64 * 2 ** 20, PidsLimit: 50, ShmSize: 8 * 2 ** 20 });
    expect(await say(place, "ulimit -n")).toBe("100\n");
  });

  it("carries Berth's labels on all that is its own", async () => {
    await using place = await open(aContainer({ volumes: ["/scratch"] }));

    const { Config: config, Mounts: mounts } = await docker
      .getContainer(place.containerId)
      .inspect();
    const volumes = await Promise.all(
      mounts.map(({ Name }) => docker.getVolume(Name ?? "").inspect()),
    );
    const network = await docker.getNetwork(place.networkId ?? "").inspect();
    const owned = { "io.berth.run": RUN, "io.berth.kind": "job", "io.berth.version": "1" };
    expect(volumes).toHaveLength(9);
    for (const labels of [config.Labels, network.Labels, ...volumes.map((v) => v.Labels)]) {
      expect(labels).toMatchObject(owned);
    }
  });

  it("has few capabilities, unless its author asks for more", async () => {
    await using plain = await open(aContainer());
    await using more = await open(aContainer({ options: "--cap-add MKNOD" }));

    const caps = async (place: Place) =>
      BigInt(`0x${(await say(place, "cat /proc/self/status")).match(/CapEff:\s*(\w+)/)?.[1]}`);
    const MKNOD = 1n << 27n;
    expect((await caps(plain)) & MKNOD).toBe(0n);
    expect((await caps(more)) & MKNOD).toBe(MKNOD);
  });
});

describe("volumes", () => {
  it("mount paths of the host, read-only where they say so", async () => {
    await mkdir(join(folder, "data"), { recursive: true });
    await writeFile(join(folder, "data", "a"), "content\n");
    const volumes = [`${folder}/data:/data:ro`];
    await using place = await open(aContainer({ volumes }));

    expect(await say(place, "cat /data/a; touch /data/b || echo read-only")).toBe(
      "content\nread-only\n",
    );
  });

  it("that are named stay, with what was put into them", async () => {
    const name = `berth-test-${randomBytes(4).toString("hex")}`;
    for (const script of ["echo kept > /data/a", "cat /data/a"]) {
      await using place = await open(aContainer({ volumes: [`${name}:/data`] }));
      expect(await say(place, script)).toBe(script.startsWith("cat") ? "kept\n" : "");
    }

    await docker.getVolume(name).remove();
  });

  it("from a host path that does not exist are an error, and it is not created", async () => {
    const opening = open(aContainer({ volumes: [`${folder}/missing:/data`] }));

    await expect(opening).rejects.toMatchObject({
      code: "CONTAINER_OPTION",
      message: expect.stringContaining(`${folder}/missing`),
    });
    await expect(writeFile(`${folder}/missing/x`, "")).rejects.toThrow("ENOENT");
  });

  it("may take the tool cache's place", async () => {
    const name = `berth-test-${randomBytes(4).toString("hex")}`;
    {
      await using place = await open(aContainer({ volumes: [`${name}:/__t`] }));
      expect(await say(place, "touch /__t/x && ls /__t")).toBe("x\n");
    }

    await docker.getVolume(name).remove();
  });
});

describe("ports", () => {
  it("without a host's part get a free one, which is reported", async () => {
    await using place = await open(aContainer({ ports: ["8080", "127.0.0.1:0:53/udp"] }));

    expect(place.ports).toEqual([
      expect.objectContaining({ containerPort: 53, protocol: "udp", hostIp: "127.0.0.1" }),
      expect.objectContaining({ containerPort: 8080, protocol: "tcp" }),
    ]);
    expect(place.ports.every(({ hostPort }) => hostPort > 0)).toBe(true);
  });

  it("that are taken become free ones", async () => {
    const server = createServer().listen(0, "0.0.0.0");
    await once(server, "listening");
    const taken = (server.address() as { port: number }).port;

    await using first = await open(aContainer({ ports: [`${taken}:80`] }));
    await using second = await open(aContainer({ ports: [`${first.ports[0]?.hostPort}:80`] }));

    const [a, b] = [first.ports[0]?.hostPort, second.ports[0]?.hostPort];
    expect(new Set([taken, a, b]).size).toBe(3);
    expect(lines.join()).toContain("a free one is used");
    server.close();
  });
});

describe("networks", () => {
  it("may be none, or another than its own", async () => {
    await using none = await open(aContainer({ options: "--network none" }));
    const network = await docker.createNetwork({ Name: `berth-test-${process.pid}` });
    {
      const options = `--network berth-test-${process.pid} --network-alias me`;
      await using other = await open(aContainer({ options }));
      expect(other.networkId).toBeUndefined();
      expect(await say(other, "cat /etc/hosts | head -n 1")).toContain("localhost");
    }

    expect(await say(none, "ls /sys/class/net")).not.toContain("eth0");
    await network.remove();
  });

  it("that do not exist are an error", async () => {
    await expect(open(aContainer({ options: "--network nowhere" }))).rejects.toMatchObject({
      code: "CONTAINER_OPTION",
      message: expect.stringContaining("nowhere"),
    });
  });
});

describe("what the engine will not do has a name, and leaves nothing", () => {
  it.each([
    ["CONTAINER_OPTION", "--device /dev/nope", "no device /dev/nope"],
    ["ENGINE_REFUSED", "--runtime nope", "no runtime named nope"],
    ["ENGINE_REFUSED", "--cpus 4000", "CPUs"],
    ["ENGINE_REFUSED", "--memory 1k", "memory"],
    ["IMAGE_UNUSABLE", "--user nobody-here", "no user named nobody-here"],
    ["IMAGE_UNUSABLE", "--user 1:no-group", "no group named no-group"],
    ["CONTAINER_OPTION", "-v /x:/__w", "/__w"],
    ["CONTAINER_OPTION", "--memroy 1g", "--memroy"],
  ])("%s for %s", async (code, options, words) => {
    await expect(open(aContainer({ options }))).rejects.toMatchObject({
      code,
      message: expect.stringContaining(words),
      remedy: expect.stringMatching(/\S/),
    });
  });

  it("says that an image has no /bin/sh", async () => {
    await expect(open(aContainer({ image: SHELL_LESS }))).rejects.toMatchObject({
      code: "IMAGE_UNUSABLE",
      message: expect.stringContaining("no /bin/sh"),
    });
  });

  it("stops half-way when it is aborted", async () => {
    const signal = AbortSignal.abort(new Error("cancelled"));

    await expect(open(aContainer(), { signal })).rejects.toThrow("cancelled");
  });
});

describe("a job whose process died", () => {
  it("is found again, running, and removed by whoever found it", async () => {
    const first = await open(aContainer({ ports: ["80"] }), {}, "cat");
    const signal = AbortSignal.timeout(10_000);
    await using before = await first.backend.attach(signal);
    before.stdin.write("one\n");
    await once(before.stdout, "data");
    before.stdin.destroy();

    const again = await reopenJobPlace(
      docker,
      { jobId, runId: RUN },
      { hostName: "here", onLeak: fail },
    );
    expect(again).toMatchObject({ paths: first.paths, ports: first.ports, image: ROOT });
    expect(await ownersBeside(first.containerId)).toEqual([thisOwner()]);
    const after = await again?.backend.attach(signal);
    after?.stdin.write("two\n");
    const [heard] = await once(after?.stdout ?? process.stdin, "data");
    expect(String(heard)).toBe("two\n");
    await again?.[Symbol.asyncDispose]();
    await first[Symbol.asyncDispose]();
  });

  it("is undefined where its container is gone", async () => {
    expect(
      await reopenJobPlace(
        docker,
        { jobId: "no-such-job", runId: RUN },
        { hostName: "here", onLeak: fail },
      ),
    ).toBeUndefined();
  });

  it("stays when it was abandoned to another process", async () => {
    const place = await open(aContainer());
    place.abandon();
    await place[Symbol.asyncDispose]();

    const again = await reopenJobPlace(
      docker,
      { jobId, runId: RUN },
      { hostName: "here", onLeak: fail },
    );
    expect(again?.containerId).toBe(place.containerId);
    await again?.[Symbol.asyncDispose]();
  });
});

describe("a container that ends", () => {
  it("tells its exit code in words", async () => {
    await using place = await open(aContainer(), {}, "exit 3");
    await docker.getContainer(place.containerId).wait();

    expect(await place.end()).toMatchObject({ state: "ended", exitCode: 3, oomKilled: false });
    expect(await place.explainEnd()).toMatchObject({
      why: expect.stringContaining("exit code 3"),
      death: "container-lost",
    });
  });

  it("tells that it ran out of memory", async () => {
    const options = "--memory 16m --memory-swap 16m";
    await using place = await open(aContainer({ options }), {}, "exec tail -c 100m /dev/zero");
    await docker.getContainer(place.containerId).wait();

    expect(await place.explainEnd()).toMatchObject({
      why: expect.stringContaining("ran out of memory"),
      death: "out-of-memory",
    });
  });

  it("tells that somebody removed it", async () => {
    await using place = await open(aContainer());
    await docker.getContainer(place.containerId).remove({ force: true, v: true });

    expect(await place.explainEnd()).toMatchObject({
      why: expect.stringContaining("removed"),
      death: "container-lost",
    });
  });
});

/** Owners of those volumes of the job that its container does not mount: whoever came back leaves one. */
async function ownersBeside(containerId: string): Promise<(string | undefined)[]> {
  const { Mounts: mounts } = await docker.getContainer(containerId).inspect();
  const filters = { label: [`${JOB_LABEL}=${jobId}`] };
  const { Volumes: volumes } = await docker.listVolumes({ filters });
  const mounted = new Set(mounts.map(({ Name }) => Name));
  return volumes.filter(({ Name }) => !mounted.has(Name)).map(({ Labels }) => Labels[OWNER_LABEL]);
}

type Place = Awaited<ReturnType<typeof openJobPlace>>;
let jobId: string;

function aContainer(more: Partial<ContainerSpec> = {}): ContainerSpec {
  return { image: ROOT, env: {}, ports: [], volumes: [], options: "", ...more };
}

/** Its shell runs one line that comes on its input, then ends. */
function open(
  container: ContainerSpec | undefined,
  more: Partial<JobPlaceOptions> = {},
  script = 'read -r line; eval "$line"',
): Promise<Place> {
  jobId = `job-${randomBytes(6).toString("hex")}`;
  leaks = [];
  lines = [];
  return openJobPlace(
    docker,
    { jobId, runId: RUN, repository: "repo", labels: [], ...(container && { container }) },
    {
      image: ROOT,
      shellArgv: ["-c", script],
      hostName: "here",
      progress: (line) => lines.push(line),
      onLeak: (leak) => leaks.push(leak),
      signal: AbortSignal.timeout(60_000),
      ...more,
    },
  );
}

/** Everything that a script prints on stdout; a listed folder becomes its path and the number of its owner. */
async function say(place: Place, script: string): Promise<string> {
  const connection = await place.backend.attach(AbortSignal.timeout(10_000));
  connection.stderr.resume();
  connection.stdin.write(`${script}\n`);
  const said = await text(connection.stdout);
  return said.replace(/^[d-][rwxt-]{9} +\d+ +(\d+) .* (\/\S+)$/gm, "$2 $1");
}

async function leftOvers(): Promise<unknown[]> {
  const filters = { label: [`io.berth.run=${RUN}`] };
  const [containers, networks, { Volumes: volumes }] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listNetworks({ filters }),
    docker.listVolumes({ filters }),
  ]);
  return [...containers, ...networks, ...(volumes ?? [])];
}

function fail(leak: unknown): void {
  throw new Error(`leak: ${JSON.stringify(leak)}`);
}
