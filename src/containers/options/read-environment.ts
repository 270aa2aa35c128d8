import { textOf } from "../../../runner/errors.ts";
import type { OptionDraft } from "./option-draft.ts";
import { optionError } from "./option-error.ts";
import { keyValue } from "./read-mounts.ts";

/** `-e NAME=value`; a bare `-e NAME` takes this process's value, or takes the image's variable away. */
export function addEnvironment(draft: OptionDraft, value: string, option: string): void {
  if (value === "" || value.startsWith("=")) throw optionError(option, value, "it has no name");
  const inherited = value.includes("=") ? undefined : draft.files.environment?.[value];
  draft.env.push(inherited === undefined ? value : `${value}=${inherited}`);
}

/** Docker's own format: one variable a line, `#` begins a comment line, no quotes, no expansion. */
export function addEnvironmentFile(draft: OptionDraft, path: string, option: string): void {
  for (const line of readLines(draft, path, option)) {
    const name = line.split("=")[0] ?? "";
    if (name === "" || /\s/.test(name)) {
      throw optionError(option, path, `its line "${line}" has no usable name`);
    }
    addEnvironment(draft, line, option);
  }
}

export function addLabel(draft: OptionDraft, value: string, option: string): void {
  if (value === "" || value.startsWith("=")) throw optionError(option, value, "it has no name");
  if (value.startsWith("io.berth.")) {
    const remedy = "Give the label another name.";
    throw optionError(option, value, "labels that begin with io.berth. are Berth's own", remedy);
  }
  Object.assign(draft.labels, keyValue(value));
}

export function addLabelFile(draft: OptionDraft, path: string, option: string): void {
  for (const line of readLines(draft, path, option)) addLabel(draft, line, option);
}

function readLines(draft: OptionDraft, path: string, option: string): string[] {
  const { readTextFile } = draft.files;
  if (readTextFile === undefined) {
    const remedy = "Put what the file holds into the settings themselves.";
    throw optionError(option, path, "files of the host are not open to jobs here", remedy);
  }
  return contentOf(readTextFile, path, option)
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .map((line) => line.trimStart())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

function contentOf(readTextFile: (path: string) => string, path: string, option: string): string {
  try {
    return readTextFile(path);
  } catch (cause) {
    const reason = textOf(cause);
    throw optionError(option, path, `the file cannot be read (${reason})`);
  }
}
