/** What a person may allow to be set up. */
export type SetupPart = "docker" | "rootless" | "toolkit" | "driver";

/** What a machine is to have afterwards. */
export type SetupWish = {
  /** `undefined`: any engine will do; an ordinary login gets a rootless one where that can work. */
  readonly engine: "docker" | "rootless" | undefined;
  /** GPUs of NVIDIA are to be usable in containers. */
  readonly nvidia: boolean;
  readonly allow: readonly SetupPart[];
};

/** One thing a machine may lack, as commands for its shell. */
export type PlanStep = {
  readonly part: SetupPart;
  readonly name: string;
  readonly why: string;
  /** What of the machine is another afterwards, in half a sentence. */
  readonly changes: string;
  /** True when a command of it is run with `sudo`. */
  readonly sudo: boolean;
  /** As a person would type them, one after the other; applied exactly so. */
  readonly commands: readonly string[];
  /** Run after them in any case, also when one of them failed. */
  readonly cleanup?: readonly string[];
  /** A script that changes nothing, and succeeds when nothing of this is to be done. */
  readonly check: string;
  /** How one sees that it is done, as a sentence. */
  readonly verified: string;
};

/** Something of the wish that this machine cannot be given. */
export type Obstacle = {
  readonly part: SetupPart;
  readonly reason: string;
  readonly remedy: string;
};

export type SetupPlan = {
  /** The engine that containers run on afterwards; `undefined` where none can be had. */
  readonly engine: "docker" | "rootless" | undefined;
  /** Where it listens, e.g. `unix:///run/docker.sock`. */
  readonly endpoint: string | undefined;
  /** Why it is not the engine that was wished for, or that comes first. */
  readonly fallbackReason?: string;
  readonly steps: readonly PlanStep[];
  readonly obstacles: readonly Obstacle[];
  /** What the person should know beside it. */
  readonly notes: readonly string[];
};
