import { textOf } from "../errors.ts";
import type { AnnotationLevel } from "../job/job-event.ts";
import { createAnnotation } from "../logs/annotation.ts";
import type { StepLog } from "../logs/step-log.ts";
import type { CommandEffects } from "./command-effects.ts";
import { type Command, parseCommand } from "./parse-command.ts";
import { type RecordedEffect, recordEffects } from "./record-effects.ts";

/** What commands of one step need. */
export type CommandSettings = {
  /** Whether handled commands are printed: at first when the step is debugged, then as `::echo::` says. */
  readonly step: { echo: boolean };
  readonly log: StepLog;
  readonly effects: CommandEffects;
  /** The workspace as steps see it, for the files of annotations. */
  readonly workspace: string;
  /** Makes of a path that the process speaks of the one where the job has that file; as it is when left out. */
  readonly pathInJob?: (path: string) => string;
  /** ACTIONS_ALLOW_UNSECURE_COMMANDS is `true`, ours or in the step's env context. */
  readonly allowUnsecureCommands: boolean;
  /** ACTIONS_ALLOW_UNSECURE_STOPCOMMAND_TOKENS, likewise. */
  readonly allowUnsecureStopTokens: boolean;
};

/** Hears the commands of one process; a `CommandListener` for `createStepOutput`. */
export type CommandHandler = {
  /** What to do about a line that is a command; `undefined` when it is ordinary output. */
  read(line: string): (() => void) | undefined;
  /** The effects so far, for `replayEffects`. */
  readonly recorded: readonly RecordedEffect[];
};

/** Handles commands as GitHub's runner does (`ActionCommandManager.cs`). One handler for each process. */
export function createCommandHandler(settings: CommandSettings): CommandHandler {
  const { log } = settings;
  const recorder = recordEffects({
    ...settings.effects,
    setEcho: (on) => {
      settings.step.echo = on;
    },
  });
  const tools: Tools = { ...settings, effects: recorder.effects, setEcho: recorder.setEcho };
  let stopToken: string | undefined;

  function stop(line: string, token: string): void {
    const isTaken = COMMANDS.has(token.toLowerCase()) || token.toLowerCase() === "pause-logging";
    if ((token === "" || isTaken) && !settings.allowUnsecureStopTokens) {
      failCommand(tools, line, BAD_STOP_TOKEN);
      return;
    }
    stopToken = token;
    if (token.length > 6) tools.effects.addMask(token);
    log.write(line);
    log.debug(
      "Paused processing commands until the token you called ::stopCommands:: with is received",
    );
  }

  function resume(line: string): void {
    stopToken = undefined;
    log.write(line);
    log.debug("Resume processing commands");
  }

  function obey(line: string, command: Command): void {
    const handler = HANDLERS.get(command.name);
    if (handler === undefined) return;
    if (settings.step.echo && !handler.omitEcho) log.write(line);
    try {
      handler.handle(command, { ...tools, fail: (message) => failCommand(tools, line, message) });
    } catch (error) {
      failCommand(tools, handler.omitEcho ? command.name : line, textOf(error));
    }
  }

  return {
    recorded: recorder.recorded,
    read(line) {
      if (stopToken !== undefined) {
        const token = stopToken.toLowerCase();
        return parseCommand(line, (name) => name === token && name !== "") && (() => resume(line));
      }
      const command = parseCommand(line, (name) => COMMANDS.has(name));
      if (command === undefined) return undefined;
      if (command.name === "stop-commands") return () => stop(line, command.data);
      return () => obey(line, command);
    },
  };
}

type Tools = CommandSettings & { setEcho(on: boolean): void };
type Handler = {
  /** The line may hold what must not be shown, or is shown anyway. */
  readonly omitEcho?: boolean;
  /** Throws an Error whose message is for the workflow's author. */
  handle(command: Command, tools: HandlerTools): void;
};
/** `fail` writes that the command failed, also after it was handled. */
type HandlerTools = Tools & { fail(message: string): void };

const HANDLERS: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ["set-output", { handle: setOutput }],
  ["save-state", { handle: saveState }],
  ["set-env", { handle: setEnv }],
  ["add-path", { handle: addPath }],
  ["add-mask", { omitEcho: true, handle: addMask }],
  ["debug", { omitEcho: true, handle: ({ data }, { log }) => log.debug(data) }],
  ["notice", { omitEcho: true, handle: annotateAs("notice") }],
  ["warning", { omitEcho: true, handle: annotateAs("warning") }],
  ["error", { omitEcho: true, handle: annotateAs("error") }],
  ["group", { handle: ({ data }, { log }) => log.write(`##[group]${data}`) }],
  ["endgroup", { handle: (_command, { log }) => log.write("##[endgroup]") }],
  ["echo", { handle: switchEcho }],
  ["add-matcher", { handle: addMatcher }],
  ["remove-matcher", { handle: removeMatcher }],
]);
const COMMANDS: ReadonlySet<string> = new Set([...HANDLERS.keys(), "stop-commands"]);

function setOutput(command: Command, { log, effects }: Tools): void {
  warnDeprecated(command, log);
  effects.setOutput(requireName(command), command.data);
}

function saveState(command: Command, { log, effects }: Tools): void {
  warnDeprecated(command, log);
  effects.saveState(requireName(command), command.data);
}

function setEnv(command: Command, tools: Tools): void {
  requireUnsecure(command, tools);
  const name = requireName(command);
  if (name.toUpperCase() === "NODE_OPTIONS") {
    const message = "Can't update NODE_OPTIONS environment variable using ::set-env:: command.";
    tools.log.annotate({ level: "error", message });
    return;
  }
  tools.effects.setEnv(name, command.data);
  tools.log.debug(`${name}='${command.data}'`);
}

function addPath(command: Command, tools: Tools): void {
  requireUnsecure(command, tools);
  if (command.data === "") throw new Error("Value cannot be null. (Parameter 'path')");
  tools.effects.addPath(command.data);
}

function addMask({ data }: Command, { log, effects, step }: Tools): void {
  if (data.trim() === "") {
    warn(log, "Can't add secret mask for empty string in ##[add-mask] command.");
    return;
  }
  if (step.echo) log.write("::add-mask::***");
  effects.addMask(data);
}

function annotateAs(level: AnnotationLevel): Handler["handle"] {
  return ({ data, properties: given }, { log, workspace, pathInJob }) => {
    const file = given.get("file");
    const properties =
      file && pathInJob ? new Map([...given, ["file", pathInJob(file)] as const]) : given;
    log.annotate(createAnnotation(level, data, { properties, workspace, debug: log.debug }));
  };
}

function switchEcho({ data }: Command, { log, setEcho }: Tools): void {
  const value = data.trim().toLowerCase();
  if (value !== "on" && value !== "off") {
    throw new Error(
      `Invalid echo command value. Possible values can be: 'on', 'off'. Current value is: '${data}'.`,
    );
  }
  setEcho(value === "on");
  log.debug(`Setting echo command value to '${value}'`);
}

function addMatcher({ data }: Command, { log, effects, fail }: HandlerTools): void {
  if (data === "") warn(log, "File path must be specified.");
  else effects.addMatchers(data, fail);
}

function removeMatcher({ data, properties }: Command, { log, effects, fail }: HandlerTools): void {
  const owner = properties.get("owner") ?? "";
  if (owner !== "" && data !== "") {
    warn(
      log,
      "Either specify an owner name or a file path in ##[remove-matcher] command. Both values cannot be set.",
    );
  } else if (owner === "" && data === "") {
    warn(
      log,
      "Either an owner name or a file path must be specified in ##[remove-matcher] command.",
    );
  } else {
    effects.removeMatchers(owner === "" ? { file: data } : { owner }, fail);
  }
}

function requireName({ name, properties }: Command): string {
  const value = properties.get("name");
  if (value === undefined) {
    throw new Error(`Required field 'name' is missing in ##[${name}] command.`);
  }
  return value;
}

function requireUnsecure({ name }: Command, { allowUnsecureCommands }: Tools): void {
  if (allowUnsecureCommands) return;
  throw new Error(
    `The \`${name}\` command is disabled. Please upgrade to using Environment Files or opt into unsecure command execution by setting the \`ACTIONS_ALLOW_UNSECURE_COMMANDS\` environment variable to \`true\`. For more information see: https://github.blog/changelog/2020-10-01-github-actions-deprecating-set-env-and-add-path-commands/`,
  );
}

function warnDeprecated({ name }: Command, log: StepLog): void {
  warn(
    log,
    `The \`${name}\` command is deprecated and will be disabled soon. Please upgrade to using Environment Files. For more information see: https://github.blog/changelog/2022-10-11-github-actions-deprecating-save-state-and-set-output-commands/`,
  );
}

function warn(log: StepLog, message: string): void {
  log.annotate({ level: "warning", message });
}

function failCommand({ log, effects }: Tools, what: string, message: string): void {
  log.annotate({ level: "error", message: `Unable to process command '${what}' successfully.` });
  log.annotate({ level: "error", message });
  effects.fail();
}

const BAD_STOP_TOKEN =
  "You cannot use a endToken that is an empty string, the string 'pause-logging', or another workflow command. For more information see: https://docs.github.com/actions/learn-github-actions/workflow-commands-for-github-actions#example-stopping-and-starting-workflow-commands or opt into insecure command execution by setting the `ACTIONS_ALLOW_UNSECURE_STOPCOMMAND_TOKENS` environment variable to `true`.";
