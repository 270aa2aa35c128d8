import type { Engine } from "../connect-engine.ts";
import type { EngineDescription } from "../describe-engine.ts";
import type { KnownRegistry } from "../image-supply.ts";
import type { ImageFacts } from "../images.ts";
import type { HostSettings } from "../options/container-options.ts";
import type { SetupAttempt } from "./pod-answer.ts";
import type { GpuWish } from "./pod-wish.ts";

/** An engine of a host, as a look at the host found it. */
export type PodEngine = Pick<EngineDescription, "kind" | "rootless" | "enforcesLimits"> & {
  readonly endpoint: string;
  readonly usable: boolean;
  /** Why it is not usable. */
  readonly reason?: string | undefined;
};

/** GPUs that nobody else on that host gets while they are claimed. */
export type GpuClaim = {
  readonly gpus: readonly { readonly uuid: string; readonly model: string }[];
  /** What gives a container exactly these. */
  readonly settings: Pick<HostSettings, "DeviceRequests" | "Devices" | "GroupAdd">;
  release(): Promise<void>;
};

/**
 * Claims GPUs for a pod, on the host, so that no other process takes them.
 *
 * @throws {BerthError} `HOST_UNUSABLE` when there are not so many that are free, with the reason.
 */
export type ClaimGpus = (
  wish: GpuWish,
  holder: { readonly podId: string; readonly engine: Engine },
  signal: AbortSignal,
) => Promise<GpuClaim>;

/** A machine that containers are made on, as functions. */
export type PodHost = {
  readonly name: string;
  /** Where its ports are reached: `gpu-1.example.com`, `127.0.0.1`. */
  readonly address: string;
  /** It is the machine that this process runs on. */
  readonly isLocal: boolean;
  /** Who named its one engine, where somebody did: `DOCKER_HOST`. Another is not looked for then. */
  readonly namedBy?: string | undefined;
  engines(signal: AbortSignal): Promise<readonly PodEngine[]>;
  connect(endpoint: string, signal: AbortSignal): Promise<Engine>;
  /** Absent: nothing is known of GPUs there. */
  readonly claimGpus?: ClaimGpus | undefined;
  /** Lets go of what a pod claimed. */
  releaseClaims?(podId: string, engine: Engine): Promise<void>;
  /** Logins and mirrors beside what `docker login` left. */
  readonly registries?: readonly KnownRegistry[] | undefined;
  /** Brings an image that the engine lacks from elsewhere than a registry; `undefined` when it is not to be had there. */
  bringImage?(image: string, engine: Engine, signal: AbortSignal): Promise<ImageFacts | undefined>;
  /** Sets up what is missing, as far as it may; what was tried. */
  readonly setUp?:
    | ((wanted: { readonly gpu: boolean }, signal: AbortSignal) => Promise<readonly SetupAttempt[]>)
    | undefined;
};
