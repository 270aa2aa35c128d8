import type { CommandEffects } from "../commands/command-effects.ts";
import {
  applyFileCommands,
  COMMAND_FILE_LIMIT_BYTES,
  COMMAND_FILES,
  type CommandFile,
} from "../commands/file-commands.ts";
import { createCommandHandler } from "../commands/handle-command.ts";
import { type RecordedEffect, replayEffects } from "../commands/record-effects.ts";
import type { Json } from "../expressions/template.ts";
import { createLineMatcher } from "../logs/match-problems.ts";
import type { AnnotationCounts } from "../logs/step-log.ts";
import { createStepOutput } from "../logs/step-output.ts";
import type { Command, CommandResult } from "../shell/shell.ts";
import { commandFiles, pickCommandFiles } from "./command-files.ts";
import { explainMissingServices, watchForServices } from "./explain-missing-service.ts";
import { loadMatchers, type MatcherRequest } from "./load-matchers.ts";
import { resolveProblemFile } from "./resolve-problem-file.ts";
import type { RunningStep } from "./running-step.ts";
import type { StopReason } from "./step-stop.ts";

/** Hears one process of a step, wherever it runs: its output becomes log, commands are obeyed, its command files are read. */
export type ProcessListener = {
  /** Where its command files lie in the job, by their names in the `github` context. */
  readonly files: { readonly [name in CommandFile]: string };
  /** The same for a command of the shell. */
  readonly collect: NonNullable<Command["collect"]>;
  onOutput(chunk: Buffer): void;
  /** The process has ended: what to keep with the result of the command that a later life replays. */
  notes(): Json;
  /** What `notes` gave, in this life or an earlier one; in the latter case what the process did by its output is done again, unheard. */
  settle(notes: Json | undefined): void;
  /** Does what the command files say, by their paths; then loads the problem matchers that were asked for. False when anything has failed so far. */
  finish(files: CommandResult["files"]): Promise<boolean>;
};

/** What is kept of a process's output with its result, so that a later life of the job need not see it again. */
type ProcessNotes = {
  readonly effects: readonly RecordedEffect[];
  readonly stopped: readonly (StopReason | null)[];
  readonly recorded: AnnotationCounts;
  readonly missing: readonly string[];
};

/**
 * Makes the listener of one process; the calls come in the order in which they are listed.
 *
 * @param pathInJob Makes of a path that the process speaks of the one where the job has that file.
 */
export function listenToProcess(
  self: RunningStep,
  pathInJob: (path: string) => string = (path) => path,
): ProcessListener {
  const { running, log, env, stop } = self;
  const { place, masker, state } = running;
  const { workspace } = place.paths;
  const files = commandFiles(place.paths.temp, self.token);
  const requests: MatcherRequest[] = [];
  let hasFailed = false;
  const effects: CommandEffects = {
    setOutput: self.setOutput,
    saveState: self.saveState,
    setEnv(name, value) {
      state.setEnv(name, value);
      env[name] = value;
    },
    addPath: (directory) => state.addPath(directory),
    addMask: (value) => masker.add(value),
    addMatchers: (file, fail) => void requests.push({ add: pathInJob(file), fail }),
    removeMatchers(which, fail) {
      const remove = "file" in which ? { file: pathInJob(which.file) } : which;
      requests.push({ remove, fail });
    },
    fail() {
      hasFailed = true;
    },
  };
  const commands = createCommandHandler({
    step: { echo: running.isDebugging },
    log,
    effects,
    workspace,
    pathInJob,
    allowUnsecureCommands: isTrue(env.ACTIONS_ALLOW_UNSECURE_COMMANDS),
    allowUnsecureStopTokens: isTrue(env.ACTIONS_ALLOW_UNSECURE_STOPCOMMAND_TOKENS),
  });
  const matcher = createLineMatcher({
    registry: running.matchers,
    resolveFile: (file, fromPath) =>
      resolveProblemFile(pathInJob(file), {
        fromPath: fromPath && pathInJob(fromPath),
        workspace,
      }),
  });
  const output = createStepOutput({ log, masker, commands, matcher });
  // A script gets none of these services on GitHub either.
  const services = "inputs" in self ? watchForServices() : undefined;
  let missing: readonly string[] = [];
  let wasHeard = false;

  return {
    files,
    collect: COMMAND_FILES.map((name) => ({
      path: files[name],
      limitBytes: COMMAND_FILE_LIMIT_BYTES,
    })),
    onOutput(chunk) {
      services?.hear(chunk);
      output.write(chunk);
    },
    notes() {
      output.end();
      wasHeard = true;
      return {
        effects: commands.recorded,
        stopped: stop.record(),
        recorded: log.recorded,
        missing: services?.found ?? [],
      } satisfies ProcessNotes;
    },
    settle(notes) {
      if (notes === undefined || notes === null) return;
      const kept = notes as ProcessNotes;
      missing = kept.missing;
      if (wasHeard) return;
      replayEffects(kept.effects, { ...effects, setEcho: () => undefined });
      log.restore(kept.recorded);
      stop.restore(kept.stopped);
    },
    async finish(collected) {
      applyFileCommands(pickCommandFiles(files, collected), {
        effects: { ...effects, addSummary: self.summary },
        log,
        masker,
      });
      await loadMatchers(requests, self);
      for (const message of explainMissingServices(missing))
        log.annotate({ level: "notice", message });
      return !hasFailed;
    },
  };
}

function isTrue(value: string | undefined): boolean {
  return value?.toLowerCase() === "true";
}
