import { BerthError } from "../errors.ts";
import {
  combineDigests,
  readHashFilesArguments,
  selectFilesToHash,
} from "../expressions/hash-files.ts";
import { type RunningJob, runCommand } from "./running-job.ts";

/** As on GitHub's runner. */
const TIMEOUT_MS = 120_000;
const LIST_LIMIT_BYTES = 64 << 20;

/**
 * `hashFiles`, over the workspace as the job sees it: the shell lists its files, we choose among them, the shell makes their
 * digests. Two round trips. What is listed comes back in a file, since a program that a step left behind may be printing.
 *
 * @throws {BerthError} `INPUT_INVALID` for a pattern or a workspace that cannot be hashed.
 */
export async function hashFiles(args: readonly string[], running: RunningJob): Promise<string> {
  const { paths, shell } = running.place;
  const { followSymbolicLinks, patterns } = readHashFilesArguments(args);
  const files = await runForFile(followSymbolicLinks ? LIST_FOLLOWING : LIST, "", {
    args,
    running,
  });
  const chosen = selectFilesToHash(patterns, files.split("\0").slice(0, -1), {
    workspace: paths.workspace,
    home: paths.home ?? shell.facts.home,
  });
  if (chosen.length === 0) return "";

  // Where a name could be mistaken for a line of its own, each file is read from standard input.
  const script = chosen.some((file) => /[\n\\]/.test(file)) ? DIGEST_ONE_BY_ONE : DIGEST;
  const input = chosen.map((file) => `${file}\0`).join("");
  const digests = await runForFile(script, input, { args, running });
  const hexDigests = digests
    .split("\n")
    .slice(0, -1)
    .map((line) => line.slice(0, 64));
  if (hexDigests.length !== chosen.length) throw unhashable(args, running);
  return combineDigests(hexDigests);
}

/** In all of them: $1 the workspace, $2 the file to write, $3 the file to read. */
const LIST = 'find "$1" \\( -type f -o -type l -exec test -f {} \\; \\) -print0 > "$2"; rm -f "$3"';
const LIST_FOLLOWING = 'find -L "$1" -type f -print0 > "$2" 2>/dev/null; rm -f "$3"';
const DIGEST = 'xargs -0 sha256sum < "$3" > "$2" && rm -f "$3"';
const DIGEST_ONE_BY_ONE = `
xargs -0 sh -c 'for file; do sha256sum < "$file" || exit; done' sh < "$3" > "$2" && rm -f "$3"`;

/** Runs one of the scripts above and gives back what it wrote. */
async function runForFile(
  script: string,
  input: string,
  { args, running }: { args: readonly string[]; running: RunningJob },
): Promise<string> {
  const { workspace, temp } = running.place.paths;
  const output = `${temp}/_hash_files_${running.nextNumber()}`;
  const result = await runCommand(
    running,
    {
      argv: ["sh", "-c", script, "sh", workspace, output, `${output}.in`],
      cwd: "/",
      env: {},
      write: [{ path: `${output}.in`, content: input }],
      collect: [{ path: output, limitBytes: LIST_LIMIT_BYTES }],
    },
    { onOutput: () => undefined, signal: AbortSignal.timeout(TIMEOUT_MS) },
  );
  const file = result.files[output];
  if (result.exitCode !== 0 || file?.truncated) throw unhashable(args, running);
  return file?.content.toString() ?? "";
}

function unhashable(args: readonly string[], { place }: RunningJob): BerthError {
  const shown = args.map((arg) => `'${arg}'`).join(", ");
  return new BerthError("INPUT_INVALID", {
    message: `hashFiles(${shown}) failed. Fail to hash files under directory '${place.paths.workspace}'`,
    remedy: "See that every file is readable there, and that find, xargs and sha256sum exist.",
  });
}
