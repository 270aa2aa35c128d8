import { explainExit } from "../job/explain-exit.ts";
import { ranOutOfMemory } from "../job/out-of-memory.ts";
import { runCommand } from "../job/running-job.ts";
import type { Command, CommandResult } from "../shell/shell.ts";
import { listenToProcess } from "./listen-to-process.ts";
import type { RunningStep } from "./running-step.ts";
import { type ProcessVariables, stepEnvironment } from "./step-environment.ts";

/** A process that a step starts. */
export type StepProcess = {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly write: NonNullable<Command["write"]>;
  /** Beside those of every step, over the `env` context: inputs and state. */
  readonly variables?: ProcessVariables;
  /** Exit code 1 needs no words of ours: the program has printed its own. */
  readonly explainsItself?: boolean;
};

/**
 * Runs a step's process in one round trip: its output becomes log, commands are obeyed, its command files are read. True when it
 * ended well; what went wrong is in the step's log.
 */
export async function runProcess(process: StepProcess, self: RunningStep): Promise<boolean> {
  const { running, stop } = self;
  const { place, state } = running;
  const listener = listenToProcess(self);
  const result = await runCommand(
    running,
    {
      argv: [process.program, ...process.args],
      cwd: process.cwd,
      env: stepEnvironment({
        env: self.env,
        variables: process.variables ?? {},
        addedPath: state.addedPath,
        github: self.github,
        runner: running.runner,
        facts: place.shell.facts,
        home: place.paths.home,
        trackingId: running.trackingId,
      }),
      write: [...process.write],
      token: self.token,
      collect: listener.collect,
    },
    { onOutput: listener.onOutput, signal: stop.signal, notes: listener.notes },
  );
  listener.settle(result.notes);

  const isWell = stop.reason !== undefined || (await reportExit(result, process, self));
  const hasObeyed = await listener.finish(result.files);
  return isWell && hasObeyed;
}

/** Says in the log how the process ended, if it did not end well. */
async function reportExit(
  result: CommandResult,
  process: StepProcess,
  { log, running, blame }: RunningStep,
): Promise<boolean> {
  const { started, exitCode } = result;
  if (started && exitCode === 0) return true;
  if (!started || !process.explainsItself) {
    log.annotate({ level: "error", message: exitMessage(result, process) });
  }
  if (!started) return false;
  const oomKilled = await ranOutOfMemory(running);
  if (oomKilled) blame("out-of-memory");
  const explanation = explainExit({ of: "step", exitCode, oomKilled });
  if (explanation) {
    log.annotate({ level: "notice", message: `${explanation.sentence} ${explanation.remedy}` });
  }
  return false;
}

function exitMessage(
  { started, reason, exitCode }: CommandResult,
  { program, cwd }: StepProcess,
): string {
  if (started) return `Process completed with exit code ${exitCode}.`;
  switch (reason) {
    case "no-directory":
      return `An error occurred trying to start process '${program}' with working directory '${cwd}'. No such file or directory`;
    case "no-write":
      return "The step's files could not be written, as the lines above say. See that the disk is not full, and that the job's user may write there.";
    case "no-program":
    case undefined:
      return `${program}: command not found`;
    default:
      return reason satisfies never;
  }
}
