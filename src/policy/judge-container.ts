import { BerthError } from "../../runner/errors.ts";
import type { ContainerSpec } from "../../runner/job/container-spec.ts";
import type { Policy } from "../config/policy.ts";
import type { Profile } from "../config/profile.ts";
import { type ContainerWish, readContainer } from "../containers/container-request.ts";
import { isAllowedImage, isAllowedPath } from "./allowed.ts";
import { type Denial, firstDenial } from "./denial.ts";
import { judgeOptions } from "./judge-options.ts";

/** What of a container policy looks at. */
export type AskedContainer = Pick<ContainerSpec, "env" | "ports" | "volumes" | "options"> & {
  readonly image?: string | undefined;
};

type Allowing = { readonly policy: Policy; readonly profile: Profile | undefined };

/** A container that a workflow asks for. `what` names it in sentences: `container`, `services.db`. */
export function judgeContainer(
  container: AskedContainer,
  what: string,
  { policy, profile }: Allowing,
): Denial | undefined {
  const { image } = container;
  const denied = image === undefined ? undefined : judgeImage(image, what, policy);
  if (denied !== undefined) return denied;
  return withWish(container, what, (wish) =>
    firstDenial([
      () => judgeMounts(wish, what, policy),
      () => judgeVolumes(wish, what, policy),
      () => judgeOptions(wish.options, what, { policy, profile }),
    ]),
  );
}

/** A container as a profile describes it: whoever wrote the profile may ask for more, within the policy. */
export function judgeOwnContainer(
  container: AskedContainer,
  what: string,
  policy: Policy,
): Denial | undefined {
  return withWish(container, what, (wish) => {
    const { Privileged: privileged } = wish.options.host;
    return (
      judgeMounts(wish, what, policy) ?? (privileged ? judgePrivileged(what, policy) : undefined)
    );
  });
}

/** @param image As a workflow writes it, perhaps with `docker://`; empty means none. */
export function judgeImage(image: string, what: string, { images }: Policy): Denial | undefined {
  const name = image.replace(/^docker:\/\//, "");
  if (name === "") return undefined;
  const denial = (why: string): Denial => ({
    rule: "policy.images",
    reason: `${what} is the image ${name}, ${why}.`,
    remedy: `Use one of ${images.join(", ")}, or add the image to policy.images in berth.yml.`,
  });
  try {
    return isAllowedImage(name, images)
      ? undefined
      : denial("which is not among those that jobs may use");
  } catch (error) {
    if (error instanceof BerthError) return denial("which is no name of an image");
    throw error;
  }
}

function judgePrivileged(what: string, { privileged }: Policy): Denial | undefined {
  if (privileged === "allow") return undefined;
  return {
    rule: "policy.privileged",
    reason: `${what} is privileged.`,
    remedy: "Set policy.privileged: allow in berth.yml, if jobs may have the whole host.",
  };
}

/** Fails closed: options that cannot be read are denied with what is wrong with them. */
function withWish(
  container: AskedContainer,
  what: string,
  judge: (wish: ContainerWish) => Denial | undefined,
): Denial | undefined {
  let wish: ContainerWish;
  try {
    wish = readContainer(container, {}, {});
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    return {
      rule: "options",
      reason: `${what}: ${error.message}`,
      remedy: error.remedy ?? "docs/container-options.md lists the options.",
    };
  }
  return judge(wish);
}

function judgeMounts(wish: ContainerWish, what: string, policy: Policy): Denial | undefined {
  const path = hostPathsOf(wish).find((one) => !isAllowedPath(one, policy.hostPaths));
  if (path === undefined) return undefined;
  return {
    rule: "policy.hostPaths",
    reason: `${what} mounts ${path} of the host.`,
    remedy: `Mount a volume by its name instead, or add the folder to policy.hostPaths in berth.yml.`,
  };
}

/** A volume can be a bind in disguise: the local driver mounts what its option `device` names. */
function hostPathsOf({ mounts, binds }: ContainerWish): string[] {
  return [
    ...mounts.flatMap(({ Type, Source = "", VolumeOptions }) => {
      if (Type === "bind") return [Source];
      const { device } = VolumeOptions?.DriverConfig?.Options ?? {};
      return Type === "volume" && device?.startsWith("/") ? [device] : [];
    }),
    ...binds.map((bind) => bind.split(":")[0] ?? "").filter((source) => source.startsWith("/")),
  ];
}

function judgeVolumes(wish: ContainerWish, what: string, policy: Policy): Denial | undefined {
  const names = [
    ...wish.mounts.map(({ Type, Source = "" }) => (Type === "volume" ? Source : "")),
    ...wish.binds.map((bind) => bind.split(":")[0] ?? ""),
  ];
  const own = names.find((name) => name.startsWith("berth-"));
  if (own !== undefined) {
    return {
      rule: "options.volume",
      reason: `${what} mounts the volume ${own}, which is Berth's own or another job's.`,
      remedy: "Give the volume a name that does not begin with berth-.",
    };
  }
  const driven = wish.mounts.find(({ VolumeOptions }) => isDriven(VolumeOptions?.DriverConfig));
  if (driven !== undefined) {
    return {
      rule: "options.volume-driver",
      reason: `${what} sets the driver of a volume, or options of its driver, at ${driven.Target}.`,
      remedy: "Make the volume on the host beforehand, and mount it by its name.",
    };
  }
  const image = wish.mounts.find(({ Type }) => Type === "image")?.Source;
  return image === undefined ? undefined : judgeImage(image, what, policy);
}

/** A folder of the host that is allowed may as well be a volume of the local driver's. */
function isDriven(
  config: { readonly Name?: string; readonly Options?: { readonly [name: string]: string } } = {},
): boolean {
  const { Name: name = "local", Options: options = {} } = config;
  const isBind = options.device?.startsWith("/") && /(^|,)r?bind(,|$)/.test(options.o ?? "");
  return name !== "local" || (Object.keys(options).length > 0 && !isBind);
}
