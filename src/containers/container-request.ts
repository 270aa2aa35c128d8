import type Docker from "dockerode";
import { BerthError } from "../../runner/errors.ts";
import type { ContainerSpec } from "../../runner/job/container-spec.ts";
import type { Labels } from "./labels.ts";
import type { ContainerOptions, HostSettings, Mount } from "./options/container-options.ts";
import type { OptionFiles } from "./options/option-draft.ts";
import { readVolume } from "./options/read-mounts.ts";
import { isSpecialNetwork, readOptions } from "./options/read-options.ts";
import { type PortMapping, readPorts } from "./options/read-ports.ts";

/** All that an author's `container:` asks of the engine, read and joined. */
export type ContainerWish = {
  readonly options: ContainerOptions;
  readonly env: readonly string[];
  readonly mounts: readonly Mount[];
  readonly binds: readonly string[];
  readonly ports: readonly PortMapping[];
};

/**
 * Reads `env`, `ports`, `volumes` and `options` of a container.
 *
 * @throws {BerthError} `CONTAINER_OPTION`
 */
export function readContainer(
  spec: Pick<ContainerSpec, "env" | "ports" | "volumes" | "options">,
  labels: Labels,
  files: OptionFiles,
): ContainerWish {
  const options = readOptions(spec.options, files);
  const volumes = spec.volumes.map((volume) => readVolume(volume, "volumes"));
  const anonymous = [
    ...options.anonymousVolumes,
    ...volumes.flatMap((volume) => ("anonymous" in volume ? [volume.anonymous] : [])),
  ];
  const driver = options.host.VolumeDriver;
  const mounts = [
    ...options.mounts,
    ...volumes.flatMap((volume) => ("mount" in volume ? [volume.mount] : [])),
    ...anonymous.map((path): Mount => ({ Type: "volume", Target: path })),
  ];
  return {
    options,
    // The order of GitHub's command line: what `env:` says wins over the options.
    env: [
      ...options.env,
      ...Object.entries(spec.env).map(([name, value]) => environmentEntry(name, value)),
    ],
    mounts: mounts.map((mount) => labelled(withDriver(mount, driver), labels)),
    binds: [
      ...(options.host.Binds ?? []),
      ...volumes.flatMap((volume) => ("bind" in volume ? [volume.bind] : [])),
    ],
    ports: [...spec.ports.flatMap((port) => readPorts(port, "ports")), ...options.ports],
  };
}

function environmentEntry(name: string, value: string): string {
  if (!`${name}${value}`.includes("\0")) return `${name}=${value}`;
  throw new BerthError("CONTAINER_OPTION", {
    message: `The variable ${name} of the container holds a NUL, which no process can be given.`,
    remedy: `Take the NUL out of ${name}.`,
  });
}

/** Anonymous volumes carry the job's labels, so that a sweep finds what a killed process left. */
function labelled(mount: Mount, labels: Labels): Mount {
  if (mount.Type !== "volume" || (mount.Source ?? "") !== "") return mount;
  const own = mount.VolumeOptions?.Labels;
  return { ...mount, VolumeOptions: { ...mount.VolumeOptions, Labels: { ...own, ...labels } } };
}

function withDriver(mount: Mount, driver: string | undefined): Mount {
  if (driver === undefined || mount.Type !== "volume") return mount;
  if (mount.VolumeOptions?.DriverConfig?.Name !== undefined) return mount;
  const config = { ...mount.VolumeOptions?.DriverConfig, Name: driver };
  return { ...mount, VolumeOptions: { ...mount.VolumeOptions, DriverConfig: config } };
}

/** Taken from Docker's default set: what neither packages nor sudo need. */
const NOT_NEEDED = ["MKNOD", "SETPCAP"];

export const PIDS_LIMIT = 16_384;

/** Log files that `readLog` can read whole: rotation loses lines to a follower, compression slows them all. */
export const LOG_CONFIG = {
  Type: "local",
  Config: { "max-size": "256m", "max-file": "2", compress: "false" },
};

/** What a container's creation needs beside its author's wishes. */
export type ContainerFrame = {
  readonly name: string;
  readonly image: string;
  /** Whether its standard input is a shell for steps: kept open, with an init process and Berth's places below it. */
  readonly isShell: boolean;
  /** The author's own option or else the image's, when left out. */
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly workingDir?: string;
  /** Below the author's own. */
  readonly env: readonly string[];
  readonly labels: Labels;
  /** Joined when the author names no other. */
  readonly network: string;
  readonly mounts: readonly Mount[];
};

export type CreateRequest = Docker.ContainerCreateOptions & {
  // dockerode would put everything, secrets too, into the URL; these two keep query and body apart.
  readonly _query: { readonly [name: string]: string };
  readonly _body: { readonly [name: string]: unknown };
};

/** The engine's create request for a container of a job. */
export function createRequest(wish: ContainerWish, frame: ContainerFrame): CreateRequest {
  const { options } = wish;
  const [attachment] = networksOf(wish, frame);
  const taken = new Set(wish.mounts.map(({ Target }) => Target.replace(/\/+$/, "")));
  for (const path of taken) if (frame.isShell && isBerths(path)) throw placeTaken(path);
  const { isShell, entrypoint, command, workingDir } = frame;
  const exposed = [
    ...options.exposedPorts,
    ...wish.ports.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`),
  ];

  return {
    _query: {
      name: options.name ?? frame.name,
      ...(options.platform !== undefined && { platform: options.platform }),
    },
    _body: {
      ...(workingDir !== undefined && { WorkingDir: workingDir }),
      ...options.config,
      Image: frame.image,
      ...(entrypoint !== undefined && { Entrypoint: entrypoint }),
      ...(command !== undefined && { Cmd: command }),
      Env: [...frame.env, ...wish.env],
      Labels: { ...options.labels, ...frame.labels },
      Tty: false,
      OpenStdin: isShell,
      StdinOnce: false,
      AttachStdin: isShell,
      AttachStdout: true,
      AttachStderr: true,
      ExposedPorts: Object.fromEntries(exposed.map((port) => [port, {}])),
      ...(attachment?.macAddress !== undefined && { MacAddress: attachment.macAddress }),
      HostConfig: {
        ...(isShell && { Init: true }),
        PidsLimit: PIDS_LIMIT,
        ...options.host,
        CapDrop: capabilitiesToDrop(options.host),
        NetworkMode: attachment?.name,
        LogConfig: LOG_CONFIG,
        Binds: wish.binds,
        Mounts: [...frame.mounts.filter(({ Target }) => !taken.has(Target)), ...wish.mounts],
        PortBindings: portBindings(wish.ports),
      },
      ...(attachment !== undefined && {
        NetworkingConfig: { EndpointsConfig: endpointsConfig(attachment) },
      }),
    },
  };
}

/** The tool cache may be the author's own volume, kept from job to job; the other places are fresh for every job. */
function isBerths(path: string): boolean {
  return ["/__w", "/__e", "/github"].includes(path);
}

function placeTaken(path: string): BerthError {
  return new BerthError("CONTAINER_OPTION", {
    message: `A volume of the container wants the place ${path}, which Berth makes for every job.`,
    remedy: `Mount it elsewhere; a folder below ${path} is fine.`,
  });
}

type Attachment = ContainerOptions["networks"][number];

/** The networks to join, the one named at creation first. */
export function networksOf(wish: ContainerWish, frame: { readonly network: string }): Attachment[] {
  const { networks, aliases } = wish.options;
  return networks.length > 0 ? [...networks] : [{ name: frame.network, aliases }];
}

/** Whether Berth has to make a network for this container. */
export function needsOwnNetwork(wish: ContainerWish): boolean {
  return wish.options.networks.length === 0;
}

function endpointsConfig(attachment: Attachment): { [name: string]: unknown } {
  if (isSpecialNetwork(attachment.name)) return {};
  return { [attachment.name]: endpointSettings(attachment) };
}

/** A network's part of a create or connect request. */
export function endpointSettings(attachment: Attachment): { [name: string]: unknown } {
  const { aliases, ipv4, ipv6, linkLocalIps, macAddress, driverOptions } = attachment;
  const addresses = { IPv4Address: ipv4, IPv6Address: ipv6, LinkLocalIPs: linkLocalIps };
  const hasAddress = Object.values(addresses).some((address) => address !== undefined);
  return {
    ...(aliases.length > 0 && { Aliases: aliases }),
    ...(hasAddress && { IPAMConfig: addresses }),
    ...(macAddress !== undefined && { MacAddress: macAddress }),
    ...(driverOptions !== undefined && { DriverOpts: driverOptions }),
  };
}

function capabilitiesToDrop(host: HostSettings): string[] {
  const added = (host.CapAdd ?? []).map(capabilityName);
  const dropped = host.CapDrop ?? [];
  const authorKnows = host.Privileged === true || added.includes("ALL");
  if (authorKnows || dropped.map(capabilityName).includes("ALL")) return dropped;
  return [...dropped, ...NOT_NEEDED.filter((name) => !added.includes(name))];
}

function capabilityName(text: string): string {
  return text.toUpperCase().replace(/^CAP_/, "");
}

function portBindings(ports: readonly PortMapping[]): {
  [port: string]: { HostIp: string; HostPort: string }[];
} {
  const bindings: { [port: string]: { HostIp: string; HostPort: string }[] } = {};
  for (const { containerPort, protocol, hostIp, hostPort } of ports) {
    const port = `${containerPort}/${protocol}`;
    bindings[port] = [...(bindings[port] ?? []), { HostIp: hostIp, HostPort: hostPort }];
  }
  return bindings;
}
