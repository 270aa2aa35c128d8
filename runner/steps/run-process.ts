import type { CommandEffects } from "../commands/command-effects.ts";
import {
  applyFileCommands,
  COMMAND_FILE_LIMIT_BYTES,
  COMMAND_FILES,
} from "../commands/file-commands.ts";
import { createCommandHandler } from "../commands/handle-command.ts";
import { type RecordedEffect, replayEffects } from "../commands/record-effects.ts";
import { explainExit } from "../job/explain-exit.ts";
import { ranOutOfMemory } from "../job/out-of-memory.ts";
import { runCommand } from "../job/running-job.ts";
import { createLineMatcher } from "../logs/match-problems.ts";
import type { AnnotationCounts } from "../logs/step-log.ts";
import { createStepOutput } from "../logs/step-output.ts";
import type { Command, CommandResult } from "../shell/shell.ts";
import { commandFiles, pickCommandFiles } from "./command-files.ts";
import { loadMatchers, type MatcherRequest } from "./load-matchers.ts";
import { resolveProblemFile } from "./resolve-problem-file.ts";
import type { RunningStep, StepStop } from "./run-step.ts";
import { stepEnvironment } from "./step-environment.ts";

/** A process that a step starts. */
export type StepProcess = {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly write: NonNullable<Command["write"]>;
};

/** What is kept of a process's output with its result, so that a later life of the job need not see it again. */
type ProcessNotes = {
  readonly effects: readonly RecordedEffect[];
  readonly stopped: StepStop["reason"] | null;
  readonly recorded: AnnotationCounts;
};

/**
 * Runs a step's process in one round trip: its output becomes log, commands are obeyed, its command files are read. True when it
 * ended well; what went wrong is in the step's log.
 */
export async function runProcess(process: StepProcess, self: RunningStep): Promise<boolean> {
  const { running, log, env, stop } = self;
  const { place, masker, state } = running;
  const files = commandFiles(place.paths.temp, self.token);
  const requests: MatcherRequest[] = [];
  let hasFailed = false;
  const effects: CommandEffects = {
    setOutput: (name, value) => state.setOutput(self.id, name, value),
    // Only the later stages of an action read state; a script has none.
    saveState: () => undefined,
    setEnv(name, value) {
      state.setEnv(name, value);
      env[name] = value;
    },
    addPath: (directory) => state.addPath(directory),
    addMask: (value) => masker.add(value),
    addMatchers: (file, fail) => void requests.push({ add: file, fail }),
    removeMatchers: (which, fail) => void requests.push({ remove: which, fail }),
    fail() {
      hasFailed = true;
    },
  };
  const commands = createCommandHandler({
    step: { echo: running.isDebugging },
    log,
    effects,
    workspace: place.paths.workspace,
    allowUnsecureCommands: isTrue(env.ACTIONS_ALLOW_UNSECURE_COMMANDS),
    allowUnsecureStopTokens: isTrue(env.ACTIONS_ALLOW_UNSECURE_STOPCOMMAND_TOKENS),
  });
  const matcher = createLineMatcher({
    registry: running.matchers,
    resolveFile: (file, fromPath) =>
      resolveProblemFile(file, { fromPath, workspace: place.paths.workspace }),
  });
  const output = createStepOutput({ log, masker, commands, matcher });

  let hasEnded = false;
  const result = await runCommand(
    running,
    {
      argv: [process.program, ...process.args],
      cwd: process.cwd,
      env: stepEnvironment({
        env,
        addedPath: state.addedPath,
        github: self.github,
        runner: running.runner,
        facts: place.shell.facts,
        home: place.paths.home,
        trackingId: running.trackingId,
      }),
      write: [...process.write],
      collect: COMMAND_FILES.map((name) => ({
        path: files[name],
        limitBytes: COMMAND_FILE_LIMIT_BYTES,
      })),
    },
    {
      onOutput: output.write,
      signal: stop.signal,
      notes: () => {
        output.end();
        hasEnded = true;
        return {
          effects: commands.recorded,
          stopped: stop.reason ?? null,
          recorded: log.recorded,
        } satisfies ProcessNotes;
      },
    },
  );
  if (!hasEnded) replay(result.notes as ProcessNotes);

  function replay(notes: ProcessNotes): void {
    replayEffects(notes.effects, { ...effects, setEcho: () => undefined });
    log.restore(notes.recorded);
    stop.reason = notes.stopped ?? undefined;
  }

  const isWell = stop.reason !== undefined || (await reportExit(result, process, self));
  applyFileCommands(pickCommandFiles(files, result.files), {
    effects: { ...effects, addSummary: self.summary },
    log,
    masker,
  });
  await loadMatchers(requests, self);
  return isWell && !hasFailed;
}

/** Says in the log how the process ended, if it did not end well. */
async function reportExit(
  result: CommandResult,
  process: StepProcess,
  { log, running }: RunningStep,
): Promise<boolean> {
  const { started, exitCode } = result;
  if (started && exitCode === 0) return true;
  log.annotate({ level: "error", message: exitMessage(result, process) });
  if (!started) return false;
  const oomKilled = await ranOutOfMemory(running);
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

function isTrue(value: string | undefined): boolean {
  return value?.toLowerCase() === "true";
}
