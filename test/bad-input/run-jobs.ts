import { type Ended, runBerth } from "../src/cli/run-berth.ts";
import { type TemporaryRepository, temporaryRepository } from "../src/cli/temporary-repository.ts";

/** A job as the workflow file has it; `runs-on` is added. A string is a `run:` step. */
export type JobText = {
  readonly steps: readonly (string | { readonly [key: string]: unknown })[];
  readonly [key: string]: unknown;
};

/** What became of one job of a run. */
export type JobSeen = {
  readonly conclusion: unknown;
  readonly reason: unknown;
  /** The outcomes of the steps its author wrote and of "Complete job". */
  readonly outcomes: unknown[];
  readonly log: string[];
  /** `level: message` */
  readonly annotations: string[];
};

/** A repository with one workflow; JSON is YAML. */
export function repositoryOf(jobs: { readonly [id: string]: JobText }): TemporaryRepository {
  const whole = Object.entries(jobs).map(([id, { steps, ...job }]) => [
    id,
    {
      "runs-on": "ubuntu-latest",
      ...job,
      steps: steps.map((step) => (typeof step === "string" ? { run: step } : step)),
    },
  ]);
  const workflow = { on: "push", jobs: Object.fromEntries(whole) };
  return temporaryRepository({ ".github/workflows/ci.yml": JSON.stringify(workflow, null, 1) });
}

/** Runs jobs with the built command, several at once. */
export async function runJobs(
  jobs: { readonly [id: string]: JobText },
  { args = [], env = {} }: { args?: string[]; env?: { [name: string]: string | undefined } } = {},
): Promise<Ended> {
  using repository = repositoryOf(jobs);
  const options = ["run", "--json", "--max-parallel", "4", ...args];
  return await runBerth(options, { cwd: repository.root, env: { ...sharedState(), ...env } });
}

/** The tests share what Berth keeps between runs: its engine, if it started one. */
export function sharedState(): { XDG_STATE_HOME: string | undefined } {
  return { XDG_STATE_HOME: process.env.XDG_STATE_HOME };
}

export function seen({ events }: Ended, job: string): JobSeen {
  const own = events.filter((event) => event.job === job);
  const finished = own.find(({ type }) => type === "job_finished");
  return {
    conclusion: finished?.conclusion,
    reason: finished?.reason,
    outcomes: own
      .filter(({ type, step }) => type === "step_finished" && step !== 1)
      .map(({ outcome }) => outcome),
    log: own.filter(({ type }) => type === "log").map(({ line }) => String(line)),
    annotations: own
      .filter(({ type }) => type === "annotation")
      .map(({ level, message }) => `${level}: ${message}`),
  };
}

/** The id that a run's objects carry in the engine. */
export function runOf({ events }: Ended): string {
  return String(events[0]?.run);
}
