import type { Policy } from "../config/policy.ts";
import type { Profile } from "../config/profile.ts";
import type { ContainerOptions } from "../containers/options/container-options.ts";
import type { Denial } from "./denial.ts";

type Permission = Profile["allow"][number];

/** What it is that needs a permission, as it was written; `undefined` when nothing does. */
const NEED_PERMISSION: {
  readonly [permission in Permission]: (options: ContainerOptions) => string | undefined;
} = {
  privileged: ({ host }) => (host.Privileged ? "--privileged" : undefined),
  network: ({ networks }) => shown("network", networks.map(({ name }) => name).find(isOfOthers)),
  pid: ({ host }) => shown("pid", host.PidMode),
  ipc: ({ host }) =>
    shown("ipc", ["private", "none"].includes(host.IpcMode ?? "") ? "" : host.IpcMode),
  device: ({ host }) =>
    shown("device", host.Devices?.[0]?.PathOnHost) ??
    shown("device", host.DeviceRequests?.find(({ Driver }) => Driver === "cdi")?.DeviceIDs?.[0]) ??
    shown("device-cgroup-rule", host.DeviceCgroupRules?.[0]),
  "cap-add": ({ host }) => shown("cap-add", host.CapAdd?.[0]),
  "security-opt": ({ host }) =>
    shown(
      "security-opt",
      host.SecurityOpt?.find((option) => !isTightening(option)),
    ),
};

/** What no profile lets a workflow have: it would reach other jobs, leave its lease, or its limits. */
const NEVER: { readonly [option: string]: (options: ContainerOptions) => unknown } = {
  network: ({ networks }) => networks.some(({ name }) => name.startsWith("berth-")),
  "volumes-from": ({ host }) => host.VolumesFrom?.length,
  "volume-driver": ({ host }) => host.VolumeDriver,
  link: ({ host }) => host.Links?.length,
  runtime: ({ host }) => host.Runtime,
  userns: ({ host }) => host.UsernsMode,
  uts: ({ host }) => host.UTSMode,
  cgroupns: ({ host }) => host.CgroupnsMode === "host",
  "cgroup-parent": ({ host }) => host.CgroupParent,
  "oom-kill-disable": ({ host }) => host.OomKillDisable,
  "oom-score-adj": ({ host }) => (host.OomScoreAdj ?? 0) < 0,
};

/** `options:` of a workflow's container. `--gpus` is fine: it means the GPUs that are leased to the job. */
export function judgeOptions(
  options: ContainerOptions,
  what: string,
  { policy, profile }: { readonly policy: Policy; readonly profile: Profile | undefined },
): Denial | undefined {
  for (const [permission, asked] of Object.entries(NEED_PERMISSION)) {
    const written = asked(options);
    if (written === undefined) continue;
    const isAllowed = profile?.allow.some((allowed) => allowed === permission) === true;
    if (!isAllowed) return notAllowed(permission, written, what);
    if (permission === "privileged" && policy.privileged === "deny") return privilegedDenied(what);
  }
  const never = Object.keys(NEVER).find((option) => NEVER[option]?.(options));
  return never === undefined ? undefined : neverAllowed(never, what);
}

/** The host's own network, another container's, a namespace by its path. */
function isOfOthers(network: string): boolean {
  return network === "host" || network.includes(":");
}

function isTightening(option: string): boolean {
  return /^no-new-privileges([=:]true)?$/.test(option);
}

function shown(option: string, value: string | undefined): string | undefined {
  return value === undefined || value === "" ? undefined : `--${option} ${value}`;
}

function notAllowed(permission: string, written: string, what: string): Denial {
  return {
    rule: `options.${permission}`,
    reason: `${what} asks for ${written}, which the job's profile does not allow.`,
    remedy: `Take it out, or use a profile with "allow: [${permission}]".`,
  };
}

function privilegedDenied(what: string): Denial {
  return {
    rule: "policy.privileged",
    reason: `${what} asks for --privileged; the job's profile allows it, the policy does not.`,
    remedy: "Set policy.privileged: allow in berth.yml, if jobs may have the whole host.",
  };
}

function neverAllowed(option: string, what: string): Denial {
  return {
    rule: `options.${option}`,
    reason: `${what} sets --${option}, with which a job could reach what is not its own.`,
    remedy: `Take it out. What all jobs of a profile need goes into its container.options.`,
  };
}
