import { isIP } from "node:net";
import { readImageReference } from "../image-reference.ts";
import type { HostSettings, Mount } from "../options/container-options.ts";
import { optionError } from "../options/option-error.ts";
import { readVolume } from "../options/read-mounts.ts";
import { type PortMapping, readPorts } from "../options/read-ports.ts";
import { readCpus, readSize, readSizeOrUnlimited } from "../options/read-quantity.ts";
import { POD_FLAGS as FLAG, type PodRequest } from "./pod-request.ts";
import { userName } from "./user-name.ts";

/** GPUs that a container asks for. */
export type GpuWish = {
  /** Without them it goes on, and says so. */
  readonly isOptional: boolean;
  readonly count: number;
  /** Words of the model's name in lower case: `a100`. */
  readonly model: string | undefined;
};

/** A request, read and checked. */
export type PodWish = {
  readonly image: string;
  readonly name: string | undefined;
  readonly command: readonly string[] | undefined;
  readonly entrypoint: string | undefined;
  readonly env: readonly string[];
  readonly mounts: readonly Mount[];
  /** Mounts that only Docker's old form can tell (SELinux labels). */
  readonly binds: readonly string[];
  readonly ports: readonly PortMapping[];
  readonly limits: HostSettings;
  readonly network: string | undefined;
  readonly user: string | undefined;
  readonly workdir: string | undefined;
  readonly gpu: GpuWish | undefined;
  readonly isDind: boolean;
  readonly hasInit: boolean;
  readonly pull: "always" | "missing" | "never";
  readonly setupUser: string | undefined;
  /** What was taken and does not do what one may think. */
  readonly warnings: readonly string[];
};

export type ReadPodOptions = {
  /** Whether a folder of the host may be mounted. */
  allowsHostPath(path: string): boolean;
};

const MOST_GPUS = 64;

/**
 * Reads a request: all that can be wrong with it before an engine is asked.
 *
 * @throws {BerthError} `CONTAINER_OPTION` that names the flag; `IMAGE_NOT_FOUND` when no image can have that name.
 */
export function readPodRequest(request: PodRequest, options: ReadPodOptions): PodWish {
  const { image, name, network, user, workdir, setupUser, command, entrypoint } = request;
  readImageReference(image);
  if (name !== undefined) checkName(name);
  if (network !== undefined) checkNetwork(network);
  if (user !== undefined && !/^[\w.-]+(:[\w.-]+)?$/.test(user)) {
    throw optionError(FLAG.user, user, "it is not a name or number, perhaps with :group");
  }
  if (workdir !== undefined) checkWorkdir(workdir);
  if (entrypoint === "") throw optionError(FLAG.entrypoint, "", "it is empty");
  for (const word of command ?? []) refuseNul(word, FLAG.command);

  const isDind = request.dind ?? false;
  const ports = (request.ports ?? []).flatMap((port) => readPorts(port, FLAG.ports));
  checkPorts(ports);
  if (isDind && network === "host") throw dindOnHostNetwork();
  return {
    ...{ image, name, command, entrypoint, network, user, workdir, isDind },
    env: (request.env ?? []).map(readEnvironment),
    ...readMounts(request.volumes ?? [], options),
    ports: isUnpublished(network) ? [] : ports,
    limits: readLimits(request),
    gpu: request.gpu === undefined ? undefined : readGpu(request.gpu),
    hasInit: request.init ?? true,
    pull: request.pull ?? "missing",
    setupUser: setupUser === undefined ? undefined : userName(setupUser, FLAG.setupUser),
    warnings: ports.length > 0 && isUnpublished(network) ? [notPublished(network)] : [],
  };
}

function checkName(name: string): void {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}$/.test(name)) return;
  throw optionError(FLAG.name, name, "it is not a name of 2 to 128 letters, digits, _ . and -");
}

function checkNetwork(network: string): void {
  if (/^(container:)?[a-zA-Z0-9][\w.-]*$/.test(network)) return;
  const remedy = "Write bridge, host, none, container:NAME or the name of a network.";
  throw optionError(FLAG.network, network, "it is not a network's name", remedy);
}

function checkWorkdir(workdir: string): void {
  refuseNul(workdir, FLAG.workdir);
  if (!workdir.startsWith("/")) {
    throw optionError(FLAG.workdir, workdir, "it is not an absolute path in the container");
  }
}

function refuseNul(text: string, flag: string): void {
  if (!text.includes("\0")) return;
  throw optionError(flag, text.replaceAll("\0", "\\0"), "it holds a NUL");
}

function readEnvironment(entry: string): string {
  refuseNul(entry, FLAG.env);
  const name = entry.split("=", 1)[0] ?? "";
  if (name !== "" && !/\s/.test(name)) return entry;
  // The value may be a secret.
  throw optionError(FLAG.env, name === "" ? "=…" : name, "it is not NAME=value");
}

function isUnpublished(network: string | undefined): network is string {
  return network === "host" || network === "none" || Boolean(network?.startsWith("container:"));
}

function notPublished(network: string): string {
  if (network === "host") {
    return "No port is published: with --network host the container's ports are the host's own.";
  }
  if (network === "none") return "No port is published: with --network none there is no network.";
  return `No port is published: the container is in the network of ${network.slice("container:".length)}, whose ports count.`;
}

/** The engine's API without TLS is root on that engine for whoever reaches the port. */
const OPEN_API_PORT = 2375;

function checkPorts(ports: readonly PortMapping[]): void {
  const wanted = new Set<string>();
  for (const { containerPort, protocol, hostIp, hostPort } of ports) {
    const text = portText(hostIp, hostPort, containerPort, protocol);
    if (containerPort === 0) throw optionError(FLAG.ports, text, "no container listens at port 0");
    if (containerPort === OPEN_API_PORT && !isLoopback(hostIp)) {
      throw optionError(
        FLAG.ports,
        text,
        "2375 is the engine's API without TLS: whoever reaches it is root in the container's engine",
        `Publish it on this machine alone, --port 127.0.0.1:${hostPort}:2375, or use 2376 with TLS.`,
      );
    }
    if (hostPort === "" || hostPort.includes("-")) continue;
    const place = `${hostIp} ${hostPort}/${protocol}`;
    if (wanted.has(place)) {
      throw optionError(FLAG.ports, text, `port ${hostPort} of the host is asked for twice`);
    }
    wanted.add(place);
  }
}

function portText(ip: string, host: string, container: number, protocol: string): string {
  const address = ip === "" ? "" : `${isIP(ip) === 6 ? `[${ip}]` : ip}:`;
  return `${address}${host === "" ? "0" : host}:${container}${protocol === "tcp" ? "" : `/${protocol}`}`;
}

function isLoopback(ip: string): boolean {
  return ip === "::1" || /^127\./.test(ip);
}

function dindOnHostNetwork() {
  return optionError(
    FLAG.network,
    "host",
    "with --dind the inner engine would open its API on the host, and change the host's own firewall",
    "Leave --network out, and publish what you need with --port.",
  );
}

function readMounts(
  volumes: readonly string[],
  { allowsHostPath }: ReadPodOptions,
): { mounts: Mount[]; binds: string[] } {
  const mounts: Mount[] = [];
  const binds: string[] = [];
  const targets = new Set<string>();
  for (const text of volumes) {
    refuseNul(text, FLAG.volumes);
    const entry = readVolume(text, FLAG.volumes);
    if ("bind" in entry) binds.push(entry.bind);
    else if ("mount" in entry) mounts.push(entry.mount);
    else mounts.push({ Type: "volume", Target: entry.anonymous });

    const [source, target] = "bind" in entry ? entry.bind.split(":") : partsOf(mounts.at(-1));
    checkSource(source ?? "", text, allowsHostPath);
    const place = (target ?? "").replace(/\/+$/, "");
    if (targets.has(place)) throw optionError(FLAG.volumes, text, `${place} has a volume already`);
    targets.add(place);
  }
  return { mounts, binds };
}

function partsOf(mount: Mount | undefined): [string, string] {
  return [mount?.Source ?? "", mount?.Target ?? ""];
}

function checkSource(source: string, text: string, allows: (path: string) => boolean): void {
  if (source.startsWith("/") && !allows(source)) {
    throw optionError(
      FLAG.volumes,
      text,
      `${source} of the host may not be mounted`,
      "Use a volume by its name, or add the folder to policy.hostPaths of berth.yml (--allow-host-path for this once).",
    );
  }
  if (source.startsWith("berth-")) {
    const remedy = "Give the volume a name that does not begin with berth-.";
    throw optionError(FLAG.volumes, text, "volumes named berth-… are Berth's own", remedy);
  }
}

function readLimits({ memory, memorySwap, shm, cpus, cpuset }: PodRequest): HostSettings {
  const limits: HostSettings = {};
  if (memory !== undefined)
    limits.Memory = someOf(readSize(memory, FLAG.memory), memory, FLAG.memory);
  if (shm !== undefined) limits.ShmSize = someOf(readSize(shm, FLAG.shm), shm, FLAG.shm);
  if (cpus !== undefined) limits.NanoCpus = someOf(readCpus(cpus, FLAG.cpus), cpus, FLAG.cpus);
  if (cpuset !== undefined) limits.CpusetCpus = readCpuset(cpuset);
  if (memorySwap !== undefined) limits.MemorySwap = readSwap(memorySwap, limits.Memory);
  return limits;
}

function someOf(value: number, text: string, flag: string): number {
  if (value > 0) return value;
  throw optionError(flag, text, "it must be more than 0", `Leave ${flag} out for no limit.`);
}

/** As the engine has it, where the limit holds for memory and swap together. */
function readSwap(text: string, memory: number | undefined): number {
  const swap = readSizeOrUnlimited(text, FLAG.memorySwap);
  if (memory === undefined) {
    throw optionError(FLAG.memorySwap, text, "it needs --memory beside it", "Add --memory.");
  }
  if (swap !== -1 && swap < memory) {
    const remedy = "Give memory and swap together: the same as --memory means no swap.";
    throw optionError(FLAG.memorySwap, text, "it is less than --memory", remedy);
  }
  return swap;
}

function readCpuset(text: string): string {
  const remedy = "Write --cpuset like 0-3 or 0,2,7.";
  if (!/^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$/.test(text)) {
    throw optionError(FLAG.cpuset, text, "it is not a list of CPUs", remedy);
  }
  for (const part of text.split(",")) {
    const [first, last = first] = part.split("-").map(Number);
    if (first !== undefined && last !== undefined && last < first) {
      throw optionError(FLAG.cpuset, text, `${part} ends before it begins`, remedy);
    }
  }
  return text;
}

function readGpu(text: string): GpuWish {
  if (text.toLowerCase() === "auto") return { isOptional: true, count: 1, model: undefined };
  const match = /^(?:(\d{1,4})|([a-z][a-z0-9. -]*)(?::(\d{1,4}))?)$/i.exec(text);
  const count = Number(match?.[1] ?? match?.[3] ?? 1);
  if (match === null || count < 1 || count > MOST_GPUS) {
    const remedy = "Write --gpu auto, --gpu 2, --gpu a100 or --gpu a100:2.";
    throw optionError(
      FLAG.gpu,
      text,
      `it is not auto, a number up to ${MOST_GPUS} or a model`,
      remedy,
    );
  }
  return { isOptional: false, count, model: match[2]?.toLowerCase() };
}
