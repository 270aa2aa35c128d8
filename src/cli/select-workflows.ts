import type { Stats } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { isAbsolute, join, relative, resolve } from "node:path";
import { BerthError } from "../../runner/errors.ts";
import { printProblem } from "../../runner/workflow/problems.ts";
import { checkWorkflow, type WorkflowSource } from "../../runner/workflow/read-workflow.ts";
import type { Workflow } from "../../runner/workflow/workflow.ts";
import { whyUnreadable } from "../config/why-unreadable.ts";

const FOLDER = ".github/workflows";

/**
 * The workflow files to look at: those named (relative to the current folder or the repository's root; a folder
 * stands for all in it), else all of `.github/workflows`.
 *
 * @throws {BerthError} `USAGE` when a file cannot be read or there is none.
 */
export async function readSources(
  files: readonly string[],
  { root, cwd }: { root: string; cwd: string },
): Promise<WorkflowSource[]> {
  const paths = files.length > 0 ? await locateAll(files, { root, cwd }) : await listFolder(root);
  return Promise.all(
    paths.map(async (path) => ({
      file: relative(root, path) || path,
      text: await readSource(path),
    })),
  );
}

/**
 * Reads them all before anything is done.
 *
 * @throws {BerthError} `WORKFLOW_INVALID` with the problems of all files.
 */
export function readWorkflows(sources: readonly WorkflowSource[]): Workflow[] {
  const checked = sources.map(checkWorkflow);
  const problems = checked.flatMap((one) =>
    one.problems.toSorted((a, b) => a.line - b.line || a.column - b.column),
  );
  const workflows = checked.flatMap(({ workflow }) => workflow ?? []);
  if (problems.length === 0 && workflows.length === sources.length) return workflows;
  throw new BerthError("WORKFLOW_INVALID", { message: problems.map(printProblem).join("\n") });
}

async function listFolder(root: string): Promise<string[]> {
  const folder = join(root, FOLDER);
  const names = await readdir(folder).catch(() => []);
  const found = names.filter((name) => /\.ya?ml$/i.test(name)).sort();
  if (found.length === 0) {
    throw new BerthError("USAGE", {
      message: `There are no workflows: ${folder} has no .yml or .yaml file.`,
      remedy: "Name a workflow file (berth run FILE), or go to a repository that has workflows.",
    });
  }
  return found.map((name) => join(folder, name));
}

async function locateAll(
  files: readonly string[],
  where: { root: string; cwd: string },
): Promise<string[]> {
  const found = await Promise.all(files.map((file) => locate(file, where)));
  return [...new Set(found.flat())];
}

async function locate(
  file: string,
  { root, cwd }: { root: string; cwd: string },
): Promise<string[]> {
  const tries = isAbsolute(file)
    ? [file]
    : [resolve(cwd, file), resolve(root, file), resolve(root, FOLDER, file)];
  for (const path of tries) {
    const found = await stat(path).catch(() => undefined);
    if (found?.isDirectory()) {
      const names = (await readdir(path)).filter((name) => /\.ya?ml$/i.test(name)).sort();
      if (names.length > 0) return names.map((name) => join(path, name));
      throw new BerthError("USAGE", {
        message: `There are no workflows: ${path} has no .yml or .yaml file.`,
        remedy: "Name a workflow file, or a folder that has some.",
      });
    }
    if (found !== undefined) return [path];
  }
  throw new BerthError("USAGE", {
    message: `There is no workflow file ${file}; looked at ${[...new Set(tries)].join(", ")}.`,
    remedy: "Name a file relative to this folder or to the repository's root.",
  });
}

/** Far above what GitHub takes; it keeps what is no workflow at all from filling memory. */
const LARGEST_WORKFLOW_BYTES = 10 * 1024 * 1024;

async function readSource(path: string): Promise<string> {
  const text = await readRegularFile(path);
  if (text.includes("\0")) throw unreadable(path, "it is not UTF-8 text, but holds NUL characters");
  return text;
}

/** Opening a pipe would wait for its writer, without end, and a device has no end. */
async function readRegularFile(path: string): Promise<string> {
  let found: Stats;
  try {
    found = await stat(path);
    if (found.isFile() && found.size <= LARGEST_WORKFLOW_BYTES) return await readFile(path, "utf8");
  } catch (cause) {
    throw unreadable(path, whyUnreadable(cause), cause);
  }
  if (found.isDirectory()) throw unreadable(path, "it is a folder");
  throw unreadable(
    path,
    found.isFile() ? `it has ${found.size} bytes` : "it is not a regular file",
  );
}

function unreadable(path: string, why: string, cause?: unknown): BerthError {
  return new BerthError("USAGE", {
    message: `The workflow file ${path} cannot be read: ${why}.`,
    remedy: "See that it is a text file of YAML which you may read.",
    cause,
  });
}
