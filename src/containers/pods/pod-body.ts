import type Docker from "dockerode";
import type { ImageFacts } from "../images.ts";
import type { HostSettings, Mount } from "../options/container-options.ts";
import type { PortMapping } from "../options/read-ports.ts";
import type { LoginPorts } from "./assign-ports.ts";
import type { GpuClaim } from "./pod-host.ts";
import { podLabels } from "./pod-labels.ts";
import type { PodWish } from "./pod-wish.ts";

/** What an engine inside a container needs of the one outside, in the engine's words. */
export type DindRights = HostSettings & {
  readonly MaskedPaths?: readonly string[];
  readonly ReadonlyPaths?: readonly string[];
};

/** The best first. An engine that lacks rights itself cannot give all of them. */
export const DIND_RIGHTS: readonly DindRights[] = [
  { Privileged: true },
  {
    CapAdd: ["ALL"],
    CapDrop: ["SYS_RESOURCE"],
    SecurityOpt: ["seccomp=unconfined", "apparmor=unconfined"],
    DeviceCgroupRules: ["a *:* rwm"],
    MaskedPaths: [],
    ReadonlyPaths: [],
    Binds: ["/sys/fs/cgroup:/sys/fs/cgroup:rw"],
  },
];

/** Kept within bounds: a person's container lives long. */
const LOG_CONFIG = { Type: "local", Config: { "max-size": "64m", "max-file": "3" } };

export type PodBody = {
  readonly podId: string;
  readonly wish: PodWish;
  readonly image: ImageFacts;
  readonly mounts: readonly Mount[];
  readonly gpus: GpuClaim | undefined;
  readonly ports: readonly PortMapping[];
  readonly login: LoginPorts | undefined;
  readonly rights: DindRights | undefined;
};

/** The engine's create request. Standard input stays open, so that an image whose command is a shell stays, too. */
export function podBody(pod: PodBody): Docker.ContainerCreateOptions {
  const { podId, wish, image, mounts, gpus, ports, login, rights } = pod;
  const { command, entrypoint, user, workdir, network } = wish;
  const labels = podLabels({
    podId,
    sshPort: login?.ssh,
    moshPorts: login && `${login.mosh.first}-${login.mosh.last}`,
    gpus: gpus?.gpus ?? [],
  });
  const host = {
    ...wish.limits,
    ...rights,
    ...gpus?.settings,
    Init: wish.hasInit,
    ...(network !== undefined && { NetworkMode: network }),
    LogConfig: LOG_CONFIG,
    Mounts: mounts,
    Binds: [...wish.binds, ...(rights?.Binds ?? [])],
    PortBindings: portBindings(ports),
  };
  return {
    Image: image.name,
    Env: environment(wish.env, gpus),
    Labels: { ...labels },
    OpenStdin: true,
    StdinOnce: false,
    ...(command !== undefined && { Cmd: [...command] }),
    ...(entrypoint !== undefined && { Entrypoint: [entrypoint] }),
    ...(user !== undefined && { User: user }),
    ...(workdir !== undefined && { WorkingDir: workdir }),
    ExposedPorts: Object.fromEntries(
      ports.map(({ containerPort, protocol }) => [`${containerPort}/${protocol}`, {}]),
    ),
    // The types of dockerode lack some of what the engine takes.
    HostConfig: host as unknown as Docker.HostConfig,
  };
}

/** Read by NVIDIA's container runtime, and set to `all` by images with CUDA: what was not claimed must not come by it. */
const NVIDIA_VARIABLE = "NVIDIA_VISIBLE_DEVICES";

function environment(env: readonly string[], gpus: GpuClaim | undefined): string[] {
  const own = env.filter((entry) => entry.split("=", 1)[0] !== NVIDIA_VARIABLE);
  return gpus === undefined ? [...own, `${NVIDIA_VARIABLE}=void`] : own;
}

function portBindings(ports: readonly PortMapping[]) {
  const bindings: { [port: string]: { HostIp: string; HostPort: string }[] } = {};
  for (const { containerPort, protocol, hostIp, hostPort } of ports) {
    const port = `${containerPort}/${protocol}`;
    bindings[port] = [...(bindings[port] ?? []), { HostIp: hostIp, HostPort: hostPort }];
  }
  return bindings;
}
