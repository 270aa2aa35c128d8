import type { ContainerSpec } from "../../runner/job/container-spec.ts";
import type {
  ContainerSettings,
  NetworkSettings,
  ResourceSettings,
  VolumeSettings,
} from "./settings.ts";

/** Settings in the words of a workflow's `container:`, which is what a job place is made from. */
export function settingsToSpec(settings: ContainerSettings): ContainerSpec {
  const { image, credentials, environment, volumes, network, resources } = settings;
  return {
    image,
    ...(credentials && { credentials }),
    env: environment,
    ports: Object.entries(network?.ports ?? {}).map(([port, host]) => `${host}:${port}`),
    volumes: volumes.map(volumeText),
    options: [
      ...option("name", settings.name),
      ...option("user", settings.user),
      ...option("workdir", settings.workdir),
      ...(settings.privileged ? ["--privileged"] : []),
      ...(network ? networkOptions(network) : []),
      ...(resources ? resourceOptions(resources) : []),
      settings.options,
    ]
      .filter((part) => part !== "")
      .join(" "),
  };
}

function volumeText({ source, target, mode }: VolumeSettings): string {
  return [source, target, ...(mode === "ro" ? ["ro"] : [])]
    .filter((part) => part !== undefined)
    .join(":");
}

function networkOptions({ mode, aliases, dns, extraHosts }: NetworkSettings): string[] {
  return [
    ...option("network", mode),
    ...aliases.flatMap((alias) => option("network-alias", alias)),
    ...dns.flatMap((address) => option("dns", address)),
    ...Object.entries(extraHosts).flatMap(([name, ip]) => option("add-host", `${name}:${ip}`)),
  ];
}

function resourceOptions(resources: ResourceSettings): string[] {
  const { gpus, ulimits = {} } = resources;
  return [
    ...option("memory", resources.memory),
    ...option("memory-swap", resources.memorySwap),
    ...option("memory-reservation", resources.memoryReservation),
    ...option("cpus", resources.cpus),
    ...option("cpu-shares", resources.cpuShares),
    ...option("cpuset-cpus", resources.cpuset),
    ...option("pids-limit", resources.pidsLimit),
    ...option("shm-size", resources.shm),
    ...option("gpus", Array.isArray(gpus) ? `"device=${gpus.join(",")}"` : gpus),
    ...Object.entries(ulimits).flatMap(([name, limit]) => option("ulimit", `${name}=${limit}`)),
  ];
}

/** Quoted for `splitWords`. */
function option(name: string, value: string | number | undefined): string[] {
  if (value === undefined) return [];
  return [`--${name}="${String(value).replace(/(["'\\])/g, "\\$1")}"`];
}
