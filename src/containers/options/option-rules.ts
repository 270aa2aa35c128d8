import type { ConfigSettings, HealthCheck, HostSettings } from "./container-options.ts";
import type { OptionDraft } from "./option-draft.ts";
import { optionError } from "./option-error.ts";
import {
  readDevice,
  readDeviceRule,
  readGpus,
  readRate,
  readUlimit,
  readWeight,
} from "./read-devices.ts";
import { addEnvironment, addEnvironmentFile, addLabel, addLabelFile } from "./read-environment.ts";
import { keyValue, readMount, readVolume } from "./read-mounts.ts";
import { readExtraHost, readIp, readNetwork } from "./read-network.ts";
import { readExposedPorts, readPorts } from "./read-ports.ts";
import {
  readBoolean,
  readCpus,
  readDurationNs,
  readInteger,
  readSize,
  readSizeOrUnlimited,
} from "./read-quantity.ts";

type Apply = (draft: OptionDraft, value: string, option: string) => void;

/** One option of `docker create`: what it does, or why it is refused. `flag` options take no word after them. */
export type OptionRule = {
  readonly short?: string;
  readonly flag?: true;
  readonly apply?: Apply;
  readonly refused?: string;
};

const integer =
  (min?: number, max?: number) =>
  (value: string, option: string): number =>
    readInteger(value, option, {
      ...(min !== undefined && { min }),
      ...(max !== undefined && { max }),
    });
const text = (value: string): string => value;

/** Every option of `docker create`, by its long name. */
export const OPTION_RULES: { readonly [name: string]: OptionRule } = {
  "add-host": { apply: hostList("ExtraHosts", readExtraHost) },
  annotation: {
    apply: ({ host }, value) => {
      host.Annotations = { ...host.Annotations, ...keyValue(value) };
    },
  },
  "blkio-weight": { apply: host("BlkioWeight", integer(0, 1000)) },
  "blkio-weight-device": { apply: hostList("BlkioWeightDevice", readWeight) },
  "cap-add": { apply: hostList("CapAdd", text) },
  "cap-drop": { apply: hostList("CapDrop", text) },
  "cgroup-parent": { apply: host("CgroupParent", text) },
  cgroupns: { apply: host("CgroupnsMode", oneOf("host", "private")) },
  "cpu-period": { apply: host("CpuPeriod", integer()) },
  "cpu-quota": { apply: host("CpuQuota", integer()) },
  "cpu-rt-period": { apply: host("CpuRealtimePeriod", integer()) },
  "cpu-rt-runtime": { apply: host("CpuRealtimeRuntime", integer()) },
  "cpu-shares": { short: "c", apply: host("CpuShares", integer(0)) },
  cpus: { apply: host("NanoCpus", readCpus) },
  "cpuset-cpus": { apply: host("CpusetCpus", text) },
  "cpuset-mems": { apply: host("CpusetMems", text) },
  device: {
    apply: ({ host }, value, option) => {
      const device = readDevice(value, option);
      if ("PathOnHost" in device) host.Devices = [...(host.Devices ?? []), device];
      else host.DeviceRequests = [...(host.DeviceRequests ?? []), device];
    },
  },
  "device-cgroup-rule": { apply: hostList("DeviceCgroupRules", readDeviceRule) },
  "device-read-bps": { apply: hostList("BlkioDeviceReadBps", rate({ inBytes: true })) },
  "device-read-iops": { apply: hostList("BlkioDeviceReadIOps", rate({ inBytes: false })) },
  "device-write-bps": { apply: hostList("BlkioDeviceWriteBps", rate({ inBytes: true })) },
  "device-write-iops": { apply: hostList("BlkioDeviceWriteIOps", rate({ inBytes: false })) },
  dns: { apply: hostList("Dns", readIp) },
  "dns-option": { apply: hostList("DnsOptions", text) },
  "dns-opt": { apply: hostList("DnsOptions", text) },
  "dns-search": { apply: hostList("DnsSearch", text) },
  domainname: { apply: config("Domainname", text) },
  entrypoint: { apply: config("Entrypoint", (value) => [value]) },
  env: { short: "e", apply: addEnvironment },
  "env-file": { apply: addEnvironmentFile },
  expose: {
    apply: (draft, value, option) =>
      void draft.exposedPorts.push(...readExposedPorts(value, option)),
  },
  gpus: { apply: hostList("DeviceRequests", readGpus) },
  "group-add": { apply: hostList("GroupAdd", text) },
  "health-cmd": { apply: health("Test", (value) => ["CMD-SHELL", value]) },
  "health-interval": { apply: health("Interval", readDurationNs) },
  "health-retries": { apply: health("Retries", integer(0)) },
  "health-start-interval": { apply: health("StartInterval", readDurationNs) },
  "health-start-period": { apply: health("StartPeriod", readDurationNs) },
  "health-timeout": { apply: health("Timeout", readDurationNs) },
  hostname: { short: "h", apply: config("Hostname", text) },
  init: { flag: true, apply: host("Init", readBoolean) },
  ip: { apply: endpoint("ipv4") },
  ip6: { apply: endpoint("ipv6") },
  ipc: { apply: host("IpcMode", text) },
  "kernel-memory": { apply: host("KernelMemory", readSize) },
  label: { short: "l", apply: addLabel },
  "label-file": { apply: addLabelFile },
  link: { apply: hostList("Links", text) },
  "link-local-ip": {
    apply: (draft, value, option) =>
      changeLastNetwork(draft, option, value, (network) => ({
        ...network,
        linkLocalIps: [...(network.linkLocalIps ?? []), readIp(value, option)],
      })),
  },
  "mac-address": { apply: endpoint("macAddress") },
  memory: { short: "m", apply: host("Memory", readSize) },
  "memory-reservation": { apply: host("MemoryReservation", readSize) },
  "memory-swap": { apply: host("MemorySwap", readSizeOrUnlimited) },
  "memory-swappiness": { apply: host("MemorySwappiness", integer(-1, 100)) },
  mount: { apply: (draft, value, option) => void draft.mounts.push(readMount(value, option)) },
  name: {
    apply: (draft, value, option) => {
      if (!/^\/?[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(value)) {
        throw optionError(option, value, "it is not a name of letters, digits, _ . and -");
      }
      draft.name = value.replace(/^\//, "");
    },
  },
  network: { apply: addNetwork },
  net: { apply: addNetwork },
  "network-alias": { apply: (draft, value) => void draft.aliases.push(value) },
  "net-alias": { apply: (draft, value) => void draft.aliases.push(value) },
  "no-healthcheck": {
    flag: true,
    apply: (draft, value, option) => {
      draft.healthOff = readBoolean(value, option);
    },
  },
  "oom-kill-disable": { flag: true, apply: host("OomKillDisable", readBoolean) },
  "oom-score-adj": { apply: host("OomScoreAdj", integer(-1000, 1000)) },
  pid: { apply: host("PidMode", text) },
  "pids-limit": { apply: host("PidsLimit", integer(-1)) },
  platform: {
    apply: (draft, value, option) => {
      if (!/^[a-z0-9_]+(\/[a-z0-9_]+){0,2}$/i.test(value)) {
        throw optionError(option, value, "it is not os/architecture[/variant]");
      }
      draft.platform = value;
    },
  },
  privileged: { flag: true, apply: host("Privileged", readBoolean) },
  publish: {
    short: "p",
    apply: (draft, value, option) => void draft.ports.push(...readPorts(value, option)),
  },
  "publish-all": { short: "P", flag: true, apply: host("PublishAllPorts", readBoolean) },
  pull: {
    apply: (draft, value, option) => {
      if (value !== "always" && value !== "missing" && value !== "never") {
        throw optionError(option, value, "it is none of always, missing, never");
      }
      draft.pull = value;
    },
  },
  "read-only": { flag: true, apply: host("ReadonlyRootfs", readBoolean) },
  runtime: { apply: host("Runtime", text) },
  "security-opt": { apply: hostList("SecurityOpt", readSecurityOption) },
  "shm-size": { apply: host("ShmSize", readSize) },
  "stop-signal": { apply: config("StopSignal", text) },
  "stop-timeout": { apply: config("StopTimeout", integer()) },
  "storage-opt": {
    apply: ({ host }, value) => {
      host.StorageOpt = { ...host.StorageOpt, ...keyValue(value) };
    },
  },
  sysctl: {
    apply: ({ host }, value, option) => {
      if (!/^[\w./-]+=/.test(value)) throw optionError(option, value, "it is not name=value");
      host.Sysctls = { ...host.Sysctls, ...keyValue(value) };
    },
  },
  tmpfs: {
    apply: ({ host }, value, option) => {
      const at = value.indexOf(":");
      const path = at < 0 ? value : value.slice(0, at);
      if (!path.startsWith("/")) throw optionError(option, value, "its path is not absolute");
      host.Tmpfs = { ...host.Tmpfs, [path]: at < 0 ? "" : value.slice(at + 1) };
    },
  },
  ulimit: {
    apply: ({ host }, value, option) => {
      const limit = readUlimit(value, option);
      const others = (host.Ulimits ?? []).filter(({ Name }) => Name !== limit.Name);
      host.Ulimits = [...others, limit];
    },
  },
  user: { short: "u", apply: config("User", text) },
  userns: { apply: host("UsernsMode", oneOf("host")) },
  uts: { apply: host("UTSMode", oneOf("host")) },
  volume: {
    short: "v",
    apply: (draft, value, option) => {
      const entry = readVolume(value, option);
      if ("mount" in entry) draft.mounts.push(entry.mount);
      else if ("anonymous" in entry) draft.anonymousVolumes.push(entry.anonymous);
      else draft.host.Binds = [...(draft.host.Binds ?? []), entry.bind];
    },
  },
  "volume-driver": { apply: host("VolumeDriver", text) },
  "volumes-from": { apply: hostList("VolumesFrom", text) },
  workdir: {
    short: "w",
    apply: ({ config }, value, option) => {
      if (!value.startsWith("/")) throw optionError(option, value, "it is not an absolute path");
      config.WorkingDir = value;
    },
  },

  attach: { short: "a", apply: note("Berth itself is attached to the container") },
  "disable-content-trust": { flag: true, apply: note("it has had no effect since Docker 29") },
  interactive: { short: "i", flag: true, apply: note("Berth keeps the container's input open") },
  quiet: { short: "q", flag: true, apply: note("the pull's lines stay in the job's log") },
  rm: { flag: true, apply: note("Berth removes the container when the job ends") },
  tty: { short: "t", flag: true, apply: note("steps get no terminal, as on GitHub") },

  cidfile: { refused: "It would write a file on the host; the job's log names the container." },
  detach: {
    short: "d",
    flag: true,
    refused: "It belongs to docker run; Berth stays with its container.",
  },
  "detach-keys": { refused: "It belongs to a terminal; a job has none." },
  help: { flag: true, refused: "See docs/container-options.md for the options." },
  "log-driver": { refused: "Berth reads the container's log through a driver of its own choice." },
  "log-opt": { refused: "Berth reads the container's log through a driver of its own choice." },
  restart: { refused: "A job's container that has ended has ended; run the job again instead." },
  "sig-proxy": { flag: true, refused: "It belongs to docker run; cancel the job instead." },
  "use-api-socket": { flag: true, refused: "It would hand the container engine to the job." },

  "cpu-count": { refused: "It exists on Windows only." },
  "cpu-percent": { refused: "It exists on Windows only." },
  "io-maxbandwidth": { refused: "It exists on Windows only." },
  "io-maxiops": { refused: "It exists on Windows only." },
  isolation: { refused: "It exists on Windows only." },
};

function host<K extends keyof HostSettings>(
  key: K,
  read: (value: string, option: string) => HostSettings[K],
): Apply {
  return (draft, value, option) => {
    draft.host[key] = read(value, option);
  };
}

/** Options that may be given several times, each adding to a list. */
function hostList<
  K extends {
    [P in keyof HostSettings]-?: NonNullable<HostSettings[P]> extends unknown[] ? P : never;
  }[keyof HostSettings],
>(key: K, read: (value: string, option: string) => NonNullable<HostSettings[K]>[number]): Apply {
  return (draft, value, option) => {
    const list: unknown[] = draft.host[key] ?? [];
    Object.assign(draft.host, { [key]: [...list, read(value, option)] });
  };
}

function config<K extends keyof ConfigSettings>(
  key: K,
  read: (value: string, option: string) => ConfigSettings[K],
): Apply {
  return (draft, value, option) => {
    draft.config[key] = read(value, option);
  };
}

function health<K extends keyof HealthCheck>(
  key: K,
  read: (value: string, option: string) => HealthCheck[K],
): Apply {
  return (draft, value, option) => {
    draft.health[key] = read(value, option);
  };
}

function rate(unit: { inBytes: boolean }) {
  return (value: string, option: string) => readRate(value, option, unit);
}

function oneOf(...allowed: readonly string[]) {
  return (value: string, option: string): string => {
    if (value === "" || allowed.includes(value)) return value;
    throw optionError(option, value, `it is none of ${allowed.join(", ")}`);
  };
}

function note(sentence: string): Apply {
  return (draft, _value, option) =>
    void draft.notes.push(`${option} changes nothing here: ${sentence}.`);
}

function addNetwork(draft: OptionDraft, value: string, option: string): void {
  draft.networks.push(readNetwork(value, option));
}

function endpoint(key: "ipv4" | "ipv6" | "macAddress"): Apply {
  return (draft, value, option) =>
    changeLastNetwork(draft, option, value, (network) => ({
      ...network,
      [key]: key === "macAddress" ? value : readIp(value, option),
    }));
}

function changeLastNetwork(
  draft: OptionDraft,
  option: string,
  value: string,
  change: (network: OptionDraft["networks"][number]) => OptionDraft["networks"][number],
): void {
  const network = draft.networks.pop();
  if (network === undefined) {
    throw optionError(
      option,
      value,
      "no --network before it says where",
      "Name a --network first.",
    );
  }
  draft.networks.push(change(network));
}

function readSecurityOption(value: string, option: string): string {
  if (value === "no-new-privileges" || value === "writable-cgroups") return value;
  if (value === "systempaths=unconfined") {
    throw optionError(option, value, "Berth does not unmask the host's system paths");
  }
  if (!/^[a-z-]+[=:]./.test(value)) throw optionError(option, value, "it is not name=value");
  if (/^seccomp[=:](?!unconfined$|builtin$)/.test(value) && !/^seccomp[=:]\{/.test(value)) {
    const remedy = "Give the profile itself as JSON, or unconfined.";
    throw optionError(option, value, "the engine takes the profile itself, not its file", remedy);
  }
  return value.replace(/^([a-z-]+):/, "$1=");
}
