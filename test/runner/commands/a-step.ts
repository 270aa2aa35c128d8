import type { CommandEffects } from "../../../runner/commands/command-effects.ts";
import { createCommandHandler } from "../../../runner/commands/handle-command.ts";
import type { Annotation } from "../../../runner/job/job-event.ts";
import { createMasker } from "../../../runner/logs/mask.ts";
import { createLineMatcher, createMatcherRegistry } from "../../../runner/logs/match-problems.ts";
import { parseMatcherFile } from "../../../runner/logs/problem-matcher.ts";
import { createStepLog } from "../../../runner/logs/step-log.ts";
import { createStepOutput } from "../../../runner/logs/step-output.ts";

type Options = {
  debug?: boolean;
  allowUnsecureCommands?: boolean;
  allowUnsecureStopTokens?: boolean;
};

/** One step; `effects` is what came of its commands. */
export function aStep(options: Options = {}) {
  const lines: string[] = [];
  const annotations: Annotation[] = [];
  const happened: unknown[] = [];
  const masker = createMasker();
  const registry = createMatcherRegistry();
  const debug = options.debug ?? false;
  const log = createStepLog({
    masker,
    debug,
    sink: { lines: (more) => lines.push(...more), annotation: (one) => annotations.push(one) },
  });
  const effects: CommandEffects = {
    setOutput: (name, value) => happened.push(["output", name, value]),
    saveState: (name, value) => happened.push(["state", name, value]),
    setEnv: (name, value) => happened.push(["env", name, value]),
    addPath: (directory) => happened.push(["path", directory]),
    addMask: (value) => {
      happened.push(["mask", value]);
      masker.add(value);
    },
    addMatchers: (file, fail) => {
      happened.push(["matchers", file]);
      if (file === "missing.json") fail("Could not find file 'missing.json'.");
      else
        registry.add(
          parseMatcherFile(
            '{"problemMatcher":[{"owner":"x","pattern":{"regexp":"^E: (.*)","message":1}}]}',
          ),
        );
    },
    removeMatchers: (which) => happened.push(["remove", which]),
    fail: () => happened.push("fail"),
  };
  const step = { echo: debug };

  function aProcess() {
    const handler = createCommandHandler({
      step,
      log,
      effects,
      workspace: "/__w/r/r",
      allowUnsecureCommands: options.allowUnsecureCommands ?? false,
      allowUnsecureStopTokens: options.allowUnsecureStopTokens ?? false,
    });
    const matcher = createLineMatcher({ registry, resolveFile: (file) => file });
    const output = createStepOutput({ log, masker, commands: handler, matcher });
    return {
      handler,
      print: (...text: string[]) => output.write(Buffer.from(`${text.join("\n")}\n`)),
      output,
    };
  }
  return { lines, annotations, happened, effects, step, log, aProcess, ...aProcess() };
}

export const messages = (annotations: readonly Annotation[]) =>
  annotations.map(({ level, message }) => `${level}: ${message}`);
