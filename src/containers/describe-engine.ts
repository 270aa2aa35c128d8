import { z } from "zod";
import type { Engine } from "./connect-engine.ts";
import { engineError } from "./engine-error.ts";
import { unlessAborted } from "./unless-aborted.ts";

const Info = z.object({
  ID: z.string().nullish(),
  OSType: z.string().nullish(),
  Driver: z.string().nullish(),
  CgroupDriver: z.string().nullish(),
  CgroupVersion: z.string().nullish(),
  MemoryLimit: z.boolean().nullish(),
  CpuCfsQuota: z.boolean().nullish(),
  Runtimes: z.record(z.string(), z.unknown()).nullish(),
  CDISpecDirs: z.array(z.string()).nullish(),
  SecurityOptions: z.array(z.string()).nullish(),
});
const Version = z.object({
  Components: z.array(z.object({ Name: z.string(), Version: z.string() })).nullish(),
});

/** What an engine says of itself. */
export type EngineDescription = {
  /** The same for one engine at several sockets; empty where it has none. */
  readonly id: string;
  readonly kind: "docker" | "podman";
  readonly rootless: boolean;
  /** What its containers run: `linux` or `windows`. */
  readonly osType: string | null;
  readonly storageDriver: string | null;
  readonly cgroupDriver: string | null;
  readonly cgroupVersion: string | null;
  readonly runtimes: readonly string[];
  /** It hands out devices that are named for the Container Device Interface. */
  readonly cdi: boolean;
  /** Memory and CPU limits hold. */
  readonly enforcesLimits: boolean;
  readonly runc: string | null;
};

/**
 * Asks an engine what it is and can do.
 *
 * @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED`
 */
export async function describeEngine(
  { docker }: Engine,
  signal: AbortSignal,
): Promise<EngineDescription> {
  try {
    const asked = Promise.all([docker.info(), docker.version()]);
    // dockerode's own calls take no signal here; an answer that comes late is dropped.
    const [answer, version] = await unlessAborted(asked, signal);
    return readDescription(answer, version);
  } catch (cause) {
    throw engineError(cause, "ask it about itself");
  }
}

/** Reads the API's `GET /info` and `GET /version`. */
export function readDescription(answer: unknown, version: unknown): EngineDescription {
  const info = Info.parse(answer);
  const components = Version.parse(version).Components ?? [];
  const component = (name: string) => components.find((one) => one.Name === name)?.Version ?? null;
  const isPodman = component("Podman Engine") !== null;
  return {
    id: info.ID ?? "",
    kind: isPodman ? "podman" : "docker",
    cdi: isPodman || (info.CDISpecDirs ?? []).length > 0,
    rootless: (info.SecurityOptions ?? []).some((option) => /^(?:name=)?rootless/.test(option)),
    osType: info.OSType ?? null,
    storageDriver: info.Driver ?? null,
    cgroupDriver: info.CgroupDriver ?? null,
    cgroupVersion: info.CgroupVersion ?? null,
    runtimes: Object.keys(info.Runtimes ?? {}).filter((name) => !name.startsWith("io.containerd.")),
    // A rootless engine without delegated control groups takes limits and does not enforce them; its driver is then "none".
    enforcesLimits: Boolean(info.MemoryLimit && info.CpuCfsQuota) && info.CgroupDriver !== "none",
    runc: component("runc"),
  };
}
