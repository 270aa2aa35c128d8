import { isAbsolute } from "node:path/posix";
import type { MatchersToRemove } from "../commands/command-effects.ts";
import { textOf } from "../errors.ts";
import { runCommand } from "../job/running-job.ts";
import { parseMatcherFile } from "../logs/problem-matcher.ts";
import type { RunningStep } from "./running-step.ts";

/** `add-matcher` or `remove-matcher` as a step printed it, waiting for the step's end. */
export type MatcherRequest = { fail(message: string): void } & (
  | { readonly add: string }
  | { readonly remove: MatchersToRemove }
);

const LIMIT_BYTES = 1 << 20;
const MOST_FILES = 64;

/**
 * Registers and removes problem matchers in the order in which a step asked for it. Their files lie with the job, whose shell was
 * busy until now: matchers are at work from the next step on.
 */
export async function loadMatchers(
  requests: readonly MatcherRequest[],
  self: RunningStep,
): Promise<void> {
  const { matchers } = self.running;
  const wanted = requests.map(fileOf).filter((file) => file !== undefined);
  const files = await readFiles([...new Set(wanted)].slice(0, MOST_FILES), self);

  for (const request of requests) {
    try {
      if ("add" in request) matchers.add(parseMatcherFile(contentOf(request.add, files)));
      else matchers.remove(ownersIn(request.remove, files));
    } catch (error) {
      request.fail(textOf(error));
    }
  }
}

function fileOf(request: MatcherRequest): string | undefined {
  if ("add" in request) return request.add;
  return "file" in request.remove ? request.remove.file : undefined;
}

function ownersIn(which: MatchersToRemove, files: ReadonlyMap<string, string>): string[] {
  if ("owner" in which) return [which.owner];
  return parseMatcherFile(contentOf(which.file, files)).map(({ owner }) => owner);
}

function contentOf(file: string, files: ReadonlyMap<string, string>): string {
  const content = files.get(file);
  if (content === undefined) throw new Error(`Could not read the problem matcher file '${file}'.`);
  return content;
}

/** All files in one round trip: copied, because the shell removes what it hands back. */
async function readFiles(
  files: readonly string[],
  { running, token }: RunningStep,
): Promise<Map<string, string>> {
  if (files.length === 0) return new Map();
  const { workspace, temp } = running.place.paths;
  const pairs = files.map((file, index) => ({
    file,
    source: isAbsolute(file) ? file : `${workspace}/${file}`,
    copy: `${temp}/_matcher_${token}_${index}`,
  }));
  const result = await runCommand(
    running,
    {
      argv: ["sh", "-c", COPY, "sh", ...pairs.flatMap(({ source, copy }) => [source, copy])],
      cwd: "/",
      env: {},
      collect: pairs.map(({ copy }) => ({ path: copy, limitBytes: LIMIT_BYTES })),
    },
    { onOutput: () => undefined },
  );

  const read = pairs.map(({ file, copy }) => [file, result.files[copy]] as const);
  return new Map(
    read.flatMap(([file, copy]) =>
      copy && !copy.truncated ? [[file, copy.content.toString()]] : [],
    ),
  );
}

const COPY =
  'while [ $# -gt 0 ]; do head -c 1048577 "$1" > "$2"; shift 2; done 2>/dev/null; exit 0';
