import type { Masker } from "../logs/mask.ts";
import type { StepLog } from "../logs/step-log.ts";
import type { CommandEffects } from "./command-effects.ts";
import { type EnvFile, readEnvFile, readPathFile } from "./env-file.ts";

/** The command files of one process by the field of the `github` context that holds their path, in the order they are read. */
export const COMMAND_FILES = ["path", "env", "step_summary", "state", "output"] as const;
export type CommandFile = (typeof COMMAND_FILES)[number];

/** A file as the shell hands it back; an empty or deleted one is absent. */
export type CollectedFile = {
  readonly content: Buffer;
  readonly truncated: boolean;
  readonly sizeBytes: number;
};

export type FileCommandEffects = Pick<
  CommandEffects,
  "setOutput" | "saveState" | "setEnv" | "addPath" | "fail"
> & {
  /** Markdown, masked, every line with its end. */
  addSummary(markdown: string): void;
};

const SUMMARY_LIMIT_BYTES = 1024 * 1024;
/** How much of each file is worth collecting. GitHub has no limit but for the summary; ours keeps memory bounded. */
export const COMMAND_FILE_LIMIT_BYTES = 16 * 1024 * 1024;

/**
 * Does what the command files of an ended process say, in GitHub's order (`FileCommandManager.cs`). One that is wrong writes
 * its error and fails the step, and the others are still read.
 */
export function applyFileCommands(
  files: { readonly [name in CommandFile]?: CollectedFile },
  tools: { readonly effects: FileCommandEffects; readonly log: StepLog; readonly masker: Masker },
): void {
  const { effects, log } = tools;
  for (const name of COMMAND_FILES) {
    const file = files[name];
    const error = file && applyFile(name, file, tools);
    if (error === undefined) continue;
    const message = `Unable to process file command '${name}' successfully.`;
    log.annotate({ level: "error", message });
    log.annotate({ level: "error", message: error });
    effects.fail();
  }
}

/** Returns what is wrong with the file, if anything is. */
function applyFile(
  name: CommandFile,
  file: CollectedFile,
  { effects, log, masker }: Parameters<typeof applyFileCommands>[1],
): string | undefined {
  if (name === "step_summary") {
    addSummary(file, { effects, log, masker });
    return undefined;
  }
  if (file.truncated) return tooLong(file);

  const text = decode(file.content);
  switch (name) {
    case "path":
      for (const directory of readPathFile(text)) effects.addPath(directory);
      return undefined;
    case "env":
      return applyPairs(readEnvFile(text), (key, value) => setEnv(key, value, { effects, log }));
    case "state":
      return applyPairs(readEnvFile(text), (key, value) => effects.saveState(key, value));
    case "output":
      return applyPairs(readEnvFile(text), (key, value) => effects.setOutput(key, value));
    default:
      return name satisfies never;
  }
}

function applyPairs(file: EnvFile, apply: (name: string, value: string) => void) {
  for (const [name, value] of file.pairs) apply(name, value);
  return file.error;
}

function setEnv(
  name: string,
  value: string,
  { effects, log }: { effects: FileCommandEffects; log: StepLog },
): void {
  if (name.toUpperCase() === "NODE_OPTIONS") {
    const message = "Can't store NODE_OPTIONS output parameter using '$GITHUB_ENV' command.";
    log.annotate({ level: "error", message });
    return;
  }
  effects.setEnv(name, value);
  log.debug(`${name}='${value}'`);
}

// Too much of it is an error to see, but no failure.
function addSummary(
  file: CollectedFile,
  { effects, log, masker }: Parameters<typeof applyFileCommands>[1],
): void {
  if (file.sizeBytes === 0) return;
  if (file.sizeBytes > SUMMARY_LIMIT_BYTES || file.truncated) {
    const limit = SUMMARY_LIMIT_BYTES / 1024;
    const size = Math.floor(file.sizeBytes / 1024);
    const message = `$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of ${limit}k, got ${size}k. For more information see: https://docs.github.com/actions/using-workflows/workflow-commands-for-github-actions#adding-a-markdown-summary`;
    log.annotate({ level: "error", message });
    return;
  }

  const lines = decode(file.content).replace(/\r\n?/g, "\n");
  effects.addSummary(masker.maskLines(lines.endsWith("\n") ? lines : `${lines}\n`));
}

// What programs that think in UTF-16 write begins with a mark that says so.
function decode(content: Buffer): string {
  if (content[0] === 0xff && content[1] === 0xfe)
    return new TextDecoder("utf-16le").decode(content);
  if (content[0] === 0xfe && content[1] === 0xff)
    return new TextDecoder("utf-16be").decode(content);
  return new TextDecoder("utf-8").decode(content);
}

function tooLong({ content, sizeBytes }: CollectedFile): string {
  const read = Math.floor(content.length / 1024);
  const size = Math.floor(sizeBytes / 1024);
  return `The file has ${size}k, of which ${read}k can be read. Pass large values between steps in files of your own.`;
}
