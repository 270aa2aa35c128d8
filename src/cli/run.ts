import type { ActionSource } from "../../runner/actions/action-source.ts";
import { findUnsupported, notSupportedYet } from "../../runner/workflow/find-unsupported.ts";
import { listPlan } from "../../runner/workflow/plan.ts";
import { createRunSlots, type RunResult } from "../../runner/workflow/run-plan.ts";
import { selectJobs } from "../../runner/workflow/select-jobs.ts";
import { openActionSource } from "../open-action-source.ts";
import { actionServer } from "./action-server.ts";
import { chooseImage, type ImageMap } from "./choose-image.ts";
import { createView } from "./create-view.ts";
import { type RepositoryFacts, readRepository } from "./event/read-repository.ts";
import { INTERRUPTED, type Interrupts } from "./interrupts.ts";
import { keepFailed } from "./keep-failed.ts";
import { type NarrowedStart, narrowToJobs } from "./narrow-to-jobs.ts";
import { listAsJson, printList } from "./print-list.ts";
import { type RunRequest, readRunRequest } from "./read-run-request.ts";
import type { RunFlags } from "./run-options.ts";
import { openRunPlaces } from "./run-places.ts";
import { contextOf, type PreparedRun, prepareRun, runWorkflow } from "./run-workflow.ts";
import { readSources, readWorkflows } from "./select-workflows.ts";
import { startWorkflows } from "./start-event.ts";
import { thisMachine } from "./this-machine.ts";
import type { View } from "./view/run-event.ts";

export type RunIo = Pick<NodeJS.Process, "stdout" | "stderr" | "env"> & {
  readonly cwd: string;
  warn(line: string): void;
};

/**
 * `berth run`: reads and checks everything, then runs the workflows that the event starts. Returns the exit code.
 *
 * @throws {BerthError} What keeps it from running anything.
 */
export async function run(
  files: readonly string[],
  flags: RunFlags,
  { io, interrupts }: { io: RunIo; interrupts: Interrupts },
): Promise<number> {
  const facts = await readRepository(io.cwd);
  const workflows = readWorkflows(await readSources(files, { root: facts.root, cwd: io.cwd }));
  const request = await readRunRequest(flags, { facts, env: io.env, cwd: io.cwd });
  const { starts: started, skipped } = await startWorkflows(workflows, request.event, {
    facts,
    areNamed: files.length > 0,
  });
  for (const { file, why } of skipped) io.warn(`${file} is not started: ${why}`);
  const starts = narrowToJobs(started, flags.job);
  for (const { workflow, mismatch } of starts) {
    if (mismatch) io.warn(`${workflow.file}: GitHub would not start it: ${mismatch}`);
  }

  const stateFolder = thisMachine(flags).stateDir;
  if (flags.list) {
    io.stdout.write(await list(starts, { flags, request, facts }));
    return 0;
  }
  checkSupported(starts);
  const runs = await Promise.all(
    starts.map((start) => prepareRun(start, { request, facts, stateFolder })),
  );
  await using actions = openActionSource({
    server: actionServer(request, facts.serverUrl),
    localActions: request.localActions,
    stateFolder,
  });
  return await runAll(runs, { flags, request, actions, io, interrupts });
}

async function list(
  starts: readonly NarrowedStart[],
  { flags, request, facts }: { flags: RunFlags; request: RunRequest; facts: RepositoryFacts },
): Promise<string> {
  const listed = await Promise.all(
    starts.map(async (start) => {
      const github = contextOf(start, { id: "0", runNumber: 0 }, { request, facts });
      const contexts = { github, vars: request.vars, inputs: start.inputs };
      const jobs = await listPlan(start.workflow, contexts, start.onlyJobs);
      return { workflow: start.workflow.file, jobs };
    }),
  );
  return flags.json ? listAsJson(listed) : printList(listed);
}

function checkSupported(starts: readonly NarrowedStart[]): void {
  const found = starts.flatMap(({ workflow, onlyJobs }) =>
    findUnsupported(workflow, selectJobs(workflow, onlyJobs)),
  );
  if (found.length > 0) throw notSupportedYet(found);
}

type RunAllOptions = {
  readonly flags: RunFlags;
  readonly request: RunRequest;
  readonly actions: ActionSource;
  readonly io: RunIo;
  readonly interrupts: Interrupts;
};

async function runAll(
  runs: readonly PreparedRun[],
  { flags, request, actions, io, interrupts }: RunAllOptions,
): Promise<number> {
  const { first: cancel, second: kill } = interrupts;
  const keeper = keepFailed(flags.keep === true);
  let warn = io.warn;
  await using places = await openRunPlaces({
    flags,
    images: request.images,
    needsJobImage: runs.some((one) => usesJobImage(one, request.images)),
    keeps: keeper.keeps,
    warn: (line) => warn(line),
    signal: cancel,
  });

  const ended: PromiseSettledResult<RunResult>[] = [];
  {
    await using view = createView(flags, io);
    // Past the view, a warning would end up in the middle of its list.
    warn = view.note;
    using _hints = tellInterrupts(view, interrupts);
    const slots = createRunSlots(flags.maxParallel);
    const options = {
      slots,
      openPlace: places.open,
      actions,
      show: view.show,
      onJobEnd: keeper.ended,
      signals: { cancel, kill },
    };
    ended.push(...(await Promise.allSettled(runs.map((one) => runWorkflow(one, options)))));
  }
  warn = io.warn;
  for (const line of keeper.lines(places.engine?.endpoint ?? "")) io.warn(line);
  const exitCode = exitCodeOfRuns(ended, cancel);
  return exitCode === 1 && places.hasMisfits() ? NO_HOST : exitCode;
}

/** No host here can do what some job asks for. */
const NO_HOST = 3;

function exitCodeOfRuns(
  ended: readonly PromiseSettledResult<RunResult>[],
  cancel: AbortSignal,
): number {
  if (cancel.aborted) return INTERRUPTED;
  const broken = ended.find((one) => one.status === "rejected");
  if (broken !== undefined) throw broken.reason;
  const isWell = ended.every(
    (one) =>
      one.status === "fulfilled" &&
      (one.value.conclusion === "success" || one.value.conclusion === "skipped"),
  );
  return isWell ? 0 : 1;
}

/** A `container:` may come out empty, which means none; only an image that is written there is sure. */
function usesJobImage({ start }: PreparedRun, images: ImageMap): boolean {
  if (chooseImage([], images) !== undefined) return false;
  const { workflow, onlyJobs } = start;
  return selectJobs(workflow, onlyJobs).some(({ container }) => container === undefined);
}

function tellInterrupts(view: View, { first, second }: Interrupts): Disposable {
  const tellFirst = () =>
    view.note(
      "Cancelling: steps are stopped, and those with always() still run. Ctrl-C again ends at once.",
    );
  const tellSecond = () =>
    view.note(
      "Ending at once: no further step runs, and containers, networks and volumes are removed.",
    );
  first.addEventListener("abort", tellFirst);
  second.addEventListener("abort", tellSecond);
  return {
    [Symbol.dispose]() {
      first.removeEventListener("abort", tellFirst);
      second.removeEventListener("abort", tellSecond);
    },
  };
}
