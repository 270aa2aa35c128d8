import { readdir, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { BerthError } from "../../runner/errors.ts";
import { whyUnreadable } from "../config/why-unreadable.ts";
import type { LocalAction } from "../github/local-repository.ts";
import { readText } from "./read-settings.ts";

/**
 * `--local-action OWNER/REPO[/PATH]@REF=DIR` and files with one a line. A folder is relative to the current one, in a file to that of
 * the file.
 *
 * @throws {BerthError} `USAGE` for a flag, `INPUT_INVALID` for a line of a file, with `file:line`: not understood, given twice, no such
 * folder, no action in it.
 */
export async function readLocalActions(
  flags: readonly string[] = [],
  files: readonly string[] = [],
  { cwd, flag = "--local-action" }: { readonly cwd: string; readonly flag?: string },
): Promise<LocalAction[]> {
  const given = flags.map((text): Given => ({ text, place: `${flag} ${text}`, cwd }));
  for (const file of files) given.push(...(await readFileLines(file, cwd)));

  const places = new Map<string, string>();
  const actions: LocalAction[] = [];
  for (const one of given) {
    const action = parse(one);
    const name = nameOf(action);
    const before = places.get(name);
    if (before !== undefined) throw invalid(one, `is given twice; see ${before}`, `Leave one out.`);
    places.set(name, one.place);
    await checkFolder(action, one);
    actions.push(action);
  }
  return actions;
}

/** Where something was given, for errors; one of a file has the shape that editors jump to. */
type Given = {
  readonly text: string;
  readonly place: string;
  readonly cwd: string;
  readonly isOfFile?: true;
};

async function readFileLines(file: string, cwd: string): Promise<Given[]> {
  const path = resolve(cwd, file);
  const lines = (await readText(path, "--local-action-file")).split(/\r?\n/);
  return lines.flatMap((line, index) => {
    const text = line.trim();
    if (text === "" || text.startsWith("#")) return [];
    return [{ text, place: `${file}:${index + 1}`, cwd: dirname(path), isOfFile: true }];
  });
}

function parse(given: Given): LocalAction {
  // A ref may hold neither `=` at its start nor blanks, a folder may hold anything.
  const match = /^([\w.-]+)\/([\w.-]+)((?:\/[^/@]+)*)\/?@([^\s=]+)=(.+)$/.exec(given.text);
  const [, owner = "", repo = "", path = "", ref = "", folder = ""] = match ?? [];
  const parts = path.split("/").filter((part) => part !== "");
  if (match === null || parts.some((part) => part === "." || part === "..")) {
    throw invalid(given, "is not OWNER/REPO[/PATH]@REF=DIR", "Such as actions/cache@v4=../cache.");
  }
  // After an equals sign no shell does it.
  const home = folder.trim().replace(/^~(?=\/|$)/, homedir());
  return { owner, repo, path: parts.join("/"), ref, folder: resolve(given.cwd, home) };
}

function nameOf({ owner, repo, path, ref }: LocalAction): string {
  return `${owner.toLowerCase()}/${repo.toLowerCase()}/${path}@${ref}`;
}

async function checkFolder({ folder, path }: LocalAction, given: Given): Promise<void> {
  const found = await stat(folder).catch((cause: unknown) => {
    const why = whyUnreadable(cause).replace("no such file", "no such folder");
    throw invalid(given, `names ${folder}, and ${why}`, "Check the path.", cause);
  });
  if (!found.isDirectory()) throw invalid(given, `names ${folder}, which is no folder`);
  // Some repositories have all their actions in folders of theirs.
  if (await hasAction(folder, path === "" ? 3 : 0)) return;
  const depth = path === "" ? " in it or the folders below" : " in it";
  throw invalid(
    given,
    `names ${folder}, and there is no action.yml, action.yaml or Dockerfile${depth}`,
    "Name the folder that has it.",
  );
}

const MANIFESTS = ["action.yml", "action.yaml", "Dockerfile", "dockerfile"];

async function hasAction(folder: string, depth: number): Promise<boolean> {
  const entries = await readdir(folder, { withFileTypes: true });
  if (entries.some(({ name }) => MANIFESTS.includes(name))) return true;
  if (depth === 0) return false;
  for (const entry of entries) {
    if (!entry.isDirectory() || entry.name === "node_modules" || entry.name === ".git") continue;
    if (await hasAction(join(folder, entry.name), depth - 1)) return true;
  }
  return false;
}

function invalid({ place, isOfFile }: Given, why: string, remedy?: string, cause?: unknown) {
  const separator = isOfFile ? ": this" : "";
  return new BerthError(isOfFile ? "INPUT_INVALID" : "USAGE", {
    message: `${place}${separator} ${why}.`,
    remedy,
    cause,
  });
}
