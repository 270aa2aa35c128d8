import type { Scope } from "../expressions/evaluate.ts";
import type { Json } from "../expressions/template.ts";
import type { Masker } from "../logs/mask.ts";
import type { MatcherRegistry } from "../logs/match-problems.ts";
import type { Command, CommandResult, RunOptions } from "../shell/shell.ts";
import { type Cancellation, readCancelReason, TornDown } from "./cancellation.ts";
import type { Context } from "./contexts.ts";
import type { JobPlace } from "./execute-job.ts";
import { hashFiles } from "./hash-files.ts";
import type { JobActions } from "./job-actions.ts";
import type { JobDescription } from "./job-description.ts";
import type { JobEnd } from "./job-end.ts";
import type { JobReport, StepReport } from "./job-report.ts";
import type { JobState } from "./job-state.ts";
import type { JobToken } from "./job-token.ts";
import type { ServiceSpec } from "./siblings.ts";
import type { WorkingTree } from "./working-tree.ts";

/** A job that has its place: what its steps share. */
export type RunningJob = SharedByJob & {
  readonly matchers: MatcherRegistry;
  readonly isDebugging: boolean;
  /** Whether it has a `container:`. */
  readonly inJobContainer: boolean;
  readonly trackingId: string;
  readonly github: Context;
  readonly runner: Context;
  /** The `job` context without `services` and `status`. */
  readonly jobContext: Context;
  readonly services: readonly ServiceSpec[];
  /** `defaults.run`, evaluated. */
  readonly defaults: { readonly shell?: string; readonly workingDirectory?: string };
  /** A number for each thing that is typed, the same in every life of the job. */
  nextNumber(): number;
  /** Ends a step with what ends the whole job, and says so in its log; the error to throw. */
  end(error: unknown, step: StepReport): Promise<JobEnd>;
};

export type SharedByJob = {
  readonly job: JobDescription;
  readonly actions: JobActions;
  readonly workingTree: WorkingTree | undefined;
  readonly place: JobPlace;
  readonly state: JobState;
  readonly report: JobReport;
  readonly masker: Masker;
  readonly cancellation: Cancellation;
  readonly token: JobToken;
};

/** What `notes` of a command hold besides the caller's own. */
type Notes = { readonly cancelled: Json; readonly own: Json };

/**
 * Runs a command in the job's shell; all go through here. Keeps with its result whether the job was cancelled meanwhile, so that
 * a later life takes the same turns.
 *
 * @throws {TornDown} when the job must end at once.
 */
export async function runCommand(
  { place, cancellation, token }: Pick<RunningJob, "place" | "cancellation" | "token">,
  command: Command,
  options: RunOptions,
): Promise<CommandResult> {
  const running = place.shell.run(command, {
    ...options,
    kill: cancellation.tornDown,
    volatile: token.volatile,
    notes: (): Notes => ({
      cancelled: cancellation.reason ?? null,
      own: options.notes?.() ?? null,
    }),
  });
  const result = await unlessTornDown(running, cancellation.tornDown);

  const { notes: kept, ...rest } = result;
  const notes = readNotes(kept);
  const before = readCancelReason(notes.cancelled);
  if (before) cancellation.replay(before);
  cancellation.settle();
  return { ...rest, notes: notes.own };
}

/** The contexts of a step, with `env` and what else differs from step to step. */
export function stepContexts(
  running: RunningJob,
  step: { readonly env: Json; readonly github: Context },
): Scope["contexts"] {
  const { needs, strategy, matrix, inputs, vars } = running.job.contexts;
  const { state } = running;
  return {
    github: () => step.github,
    needs,
    strategy,
    matrix,
    inputs,
    vars,
    env: () => step.env,
    steps: () => state.steps.context,
    job: () => currentJobContext(running),
    runner: running.runner,
    secrets: () => secretsOf(running),
  };
}

function secretsOf({ job, token }: RunningJob): Context {
  return token.current === "" ? job.secrets : { ...job.secrets, GITHUB_TOKEN: token.current };
}

/** The `job` context as it is now. */
export function currentJobContext({ jobContext, state }: RunningJob): Json {
  return { ...jobContext, services: state.services, status: state.status };
}

/**
 * `hashFiles` over the workspace for one step, within which nothing changes between two evaluations: what was computed is
 * remembered. `recall` gives only that, for when the shell is busy.
 */
export function rememberHashes(running: RunningJob): {
  compute(patterns: readonly string[]): Promise<string>;
  recall(patterns: readonly string[]): Promise<string>;
} {
  const known = new Map<string, string>();

  async function recall(patterns: readonly string[]): Promise<string> {
    const hash = known.get(JSON.stringify(patterns));
    if (hash === undefined) throw new Error("The files of these patterns were not hashed before.");
    return hash;
  }

  return {
    recall,
    async compute(patterns) {
      const key = JSON.stringify(patterns);
      if (!known.has(key)) known.set(key, await hashFiles(patterns, running));
      return await recall(patterns);
    },
  };
}

async function unlessTornDown<T>(running: Promise<T>, tornDown: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(new TornDown());
  if (tornDown.aborted) stop();
  tornDown.addEventListener("abort", stop, { once: true });
  try {
    // Nobody waits for the command any more once the job is torn down; its end is no news then.
    running.catch(() => undefined);
    return await Promise.race([running, promise]);
  } finally {
    tornDown.removeEventListener("abort", stop);
  }
}

/** What the `notes` of a command gave that went through `runCommand`, as the journal has it. */
export function ownNotes(notes: Json | undefined): Json {
  return readNotes(notes).own;
}

function readNotes(notes: Json | undefined): Notes {
  const isNotes = notes !== null && typeof notes === "object" && !Array.isArray(notes);
  const { cancelled = null, own = null } = isNotes ? (notes as { [key: string]: Json }) : {};
  return { cancelled, own };
}
