import { resolve } from "node:path/posix";
import type { ActionReference } from "../actions/action-reference.ts";
import { BerthError } from "../errors.ts";
import { toText } from "../expressions/evaluate.ts";
import { onceOutside } from "../job/once-outside.ts";
import { type RunningJob, runCommand } from "../job/running-job.ts";
import type { PackedTree } from "../job/working-tree.ts";
import type { RunningAction } from "./running-step.ts";
import type { StopReason } from "./step-stop.ts";

type Inputs = { readonly [name: string]: string };

/**
 * Whether a step that uses `actions/checkout` asks for the repository of the run itself, as it is in the working tree. Another
 * repository or another ref is for the real action. `inputs` may hold the action's defaults or only what was given.
 */
export function isOwnCheckout(
  reference: ActionReference,
  inputs: Inputs,
  { workingTree, github }: Pick<RunningJob, "workingTree" | "github">,
): boolean {
  if (workingTree === undefined || !isCheckout(reference)) return false;
  const text = (name: string) => toText(github[name] ?? null);
  const repository = input(inputs, "repository") || workingTree.repository;
  const server = input(inputs, "github-server-url");
  const ref = input(inputs, "ref");
  const isOwnRepository = [workingTree.repository, text("repository")].some(
    (own) => own.toLowerCase() === repository.toLowerCase(),
  );
  const isOwnServer = server === "" || isSameServer(server, text("server_url"));
  const refs = ["sha", "ref", "ref_name", "head_ref"].map(text);
  const isOwnRef = ref === "" || workingTree.standsFor(ref) || refs.includes(ref);
  return isOwnRepository && isOwnServer && isOwnRef;
}

function isSameServer(url: string, other: string): boolean {
  return URL.parse(url)?.origin === URL.parse(other)?.origin;
}

/** Whether an action is `actions/checkout`, of any version. */
export function isCheckout(reference: ActionReference): boolean {
  if (reference.kind !== "repository" || reference.path !== "") return false;
  return `${reference.owner}/${reference.repo}`.toLowerCase() === "actions/checkout";
}

/**
 * Does what `actions/checkout` would, with the working tree: clears the folder, puts the tree there, says which commit it is. What is
 * done outside the job's shell is not done again when the job is come back to. True when it succeeded.
 */
export async function checkOutWorkingTree(inputs: Inputs, self: RunningAction): Promise<boolean> {
  const { running, log, stop } = self;
  const wish = readWish(inputs, running);
  for (const note of wish.notes) log.write(note);

  // The same commands follow each other whether the step is stopped or not; a later life of the job has only them to go by.
  await clearFolder(wish, self);
  const done = await onceOutside(running, () => unpackUnlessStopped(wish, self), stop);
  await refreshIndex(wish, self);
  if (stop.reason !== undefined) return true; // whoever stopped it says so

  self.setOutput("ref", done.ref);
  if (done.commit !== "") self.setOutput("commit", done.commit);
  return true;
}

type Checkout = { commit: string; ref: string };

/** What the inputs come to. */
type Wish = {
  /** Absolute, in the workspace. */
  readonly folder: string;
  readonly fetchDepth: number;
  readonly fetchTags: boolean;
  /** As for the archive: a full ref, or `""` for the commit alone. */
  readonly ref: string;
  readonly clean: boolean;
  readonly folders: readonly string[] | undefined;
  readonly wantsSubmodules: boolean;
  /** For the log. */
  readonly notes: readonly string[];
};

/**
 * Reads the inputs as the action does (actions/checkout, src/input-helper.ts).
 *
 * @throws {BerthError} `INPUT_INVALID` for a folder outside the workspace.
 */
function readWish(inputs: Inputs, { place, github, workingTree, token }: RunningJob): Wish {
  const { workspace } = place.paths;
  const folder = resolve(workspace, input(inputs, "path") || ".");
  if (!`${folder}/`.startsWith(`${workspace}/`)) {
    throw new BerthError("INPUT_INVALID", {
      message: `Repository path '${folder}' is not under '${workspace}'`,
      remedy: "Give the input `path` a folder below the workspace.",
    });
  }
  const depth = Math.floor(Number(input(inputs, "fetch-depth") || "1"));
  const sparse = readSparse(inputs);
  const hasCredentials = input(inputs, "ssh-key") !== "" || isGivenToken(inputs, token);
  const keepsCredentials = isTrue(inputs, "persist-credentials", "true");
  return {
    folder,
    fetchDepth: Number.isNaN(depth) || depth < 0 ? 0 : depth,
    fetchTags: isTrue(inputs, "fetch-tags", "false"),
    ref: refToCheckOut(input(inputs, "ref"), { github, workingTree }),
    clean: isTrue(inputs, "clean", "true"),
    folders: sparse.folders,
    wantsSubmodules: /^(true|recursive)$/i.test(input(inputs, "submodules")),
    notes: [
      ...sparse.notes,
      ...(hasCredentials && keepsCredentials
        ? ["No credentials are kept in the repository: the working tree needs none."]
        : []),
    ],
  };
}

function refToCheckOut(
  given: string,
  { github, workingTree }: Pick<RunningJob, "github" | "workingTree">,
): string {
  const own = toText(github.ref ?? null);
  if (given === "" || given === own) return own;
  if (/^([0-9a-f]{40}|[0-9a-f]{64})$/i.test(given)) return "";
  if (given.startsWith("refs/")) return given;
  const isTag = own === `refs/tags/${given}` || workingTree?.standsFor(`refs/tags/${given}`);
  return isTag ? `refs/tags/${given}` : `refs/heads/${given}`;
}

/** The job's own token is a default of the action's; another one was given. */
function isGivenToken(inputs: Inputs, { current }: RunningJob["token"]): boolean {
  const token = input(inputs, "token");
  return token !== "" && token !== current;
}

function readSparse(inputs: Inputs): {
  readonly folders: readonly string[] | undefined;
  readonly notes: readonly string[];
} {
  const lines = input(inputs, "sparse-checkout").split("\n");
  const patterns = lines.map((line) => line.trim().replace(/^\/|\/$/g, "")).filter(Boolean);
  if (patterns.length === 0) return { folders: undefined, notes: [] };
  const isCone = isTrue(inputs, "sparse-checkout-cone-mode", "true");
  const isFolder = (pattern: string) => !/[*?[\]\\!#]|(^|\/)\.{0,2}(\/|$)/.test(pattern);
  const folders = patterns.filter((pattern) => pattern !== ".");
  if (isCone && folders.every(isFolder)) return { folders, notes: [] };
  const note = "sparse-checkout has patterns that are no folders: the whole working tree is taken.";
  return { folders: undefined, notes: [note] };
}

/** Empties the folder, or makes it; with `clean: false` what lies in a repository of before stays, as with the action. */
async function clearFolder(wish: Wish, { running, stop }: RunningAction): Promise<void> {
  const printed: Buffer[] = [];
  let isNew = false;
  const result = await runCommand(
    running,
    {
      argv: ["sh", "-c", CLEAR, "sh", wish.folder, wish.clean ? "" : "keep"],
      cwd: "/",
      env: {},
    },
    {
      onOutput: (chunk) => void printed.push(chunk),
      signal: stop.signal,
      notes: () => {
        isNew = true;
        return { printed: Buffer.concat(printed).toString(), stopped: [...stop.record()] };
      },
    },
  );
  const notes = result.notes as { printed: string; stopped: (StopReason | null)[] };
  if (!isNew) stop.restore(notes.stopped);
  if (result.exitCode === 0 || stop.reason !== undefined) return;
  throw new BerthError("INPUT_INVALID", {
    message: `The folder ${wish.folder} cannot be cleared for the repository: ${notes.printed.trim()}`,
    remedy:
      "See that the job's user may remove what lies there; a docker action's files are root's.",
  });
}

/** $1 the folder, $2 not empty when files of a repository that is there stay. The folder itself may be somebody's current one. */
const CLEAR = `
if [ ! -d "$1" ]; then rm -f "$1"; fi &&
mkdir -p "$1" && cd "$1" &&
if [ -n "$2" ] && [ -d .git ]; then rm -rf .git
else find . ! -name . -prune -exec rm -rf {} +
fi`;

async function unpackUnlessStopped(wish: Wish, self: RunningAction): Promise<Checkout> {
  const signal = AbortSignal.any([self.stop.signal, self.running.cancellation.tornDown]);
  try {
    return await unpackTree(wish, self, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    return { commit: "", ref: "" };
  }
}

async function unpackTree(
  wish: Wish,
  { running, log }: RunningAction,
  signal: AbortSignal,
): Promise<Checkout> {
  const { workingTree, place } = running;
  if (workingTree === undefined || place.unpack === undefined) throw cannotUnpack();
  const { fetchDepth, fetchTags, ref, folders } = wish;
  const tree = await workingTree.pack({
    fetchDepth,
    fetchTags,
    ref,
    folders,
    progress: log.write,
    signal,
  });
  try {
    await place.unpack(tree.tar, wish.folder, signal);
  } finally {
    tree.tar.destroy();
  }
  for (const line of describe(tree, wish)) log.write(line);
  return { commit: tree.commit, ref: tree.ref };
}

function describe(tree: PackedTree, { folder, wantsSubmodules }: Wish): string[] {
  const { files, changes, commit, isRepository, emptySubmodules } = tree;
  const what = `${files} ${files === 1 ? "file" : "files"}`;
  const at = commit === "" ? "no commit yet" : `at ${commit.slice(0, 12)}`;
  const state = `${at}, ${changes} uncommitted ${changes === 1 ? "change" : "changes"}`;
  return [
    `Copied ${what} from the working tree to ${folder}${isRepository ? ` (${state})` : ""}.`,
    ...(isRepository
      ? []
      : [
          "The working tree is no git repository: all its files were taken, and git knows nothing here.",
        ]),
    ...(wantsSubmodules
      ? emptySubmodules.map(
          (path) => `The submodule ${path} is empty in the working tree, and so here.`,
        )
      : []),
  ];
}

/** Lets the job's git learn size and time of the files, which `git diff-index` and the like go by. It may not be there at all. */
async function refreshIndex(wish: Wish, { running, stop }: RunningAction): Promise<void> {
  const refresh = 'git -C "$1" update-index -q --refresh >/dev/null 2>&1; exit 0';
  await runCommand(
    running,
    { argv: ["sh", "-c", refresh, "sh", wish.folder], cwd: "/", env: {} },
    { onOutput: () => undefined, signal: stop.signal },
  );
}

function cannotUnpack(): BerthError {
  return new BerthError("SETUP_FAILED", {
    message: "The working tree cannot be brought to where this job runs.",
    remedy: "Use --real-checkout, or run the job in a container.",
  });
}

/** As `core.getInput` finds it: any case, without blanks around. */
function input(inputs: Inputs, name: string): string {
  const found = Object.entries(inputs).find(([key]) => key.toLowerCase() === name);
  return found?.[1].trim() ?? "";
}

function isTrue(inputs: Inputs, name: string, byDefault: string): boolean {
  return (input(inputs, name) || byDefault).toUpperCase() === "TRUE";
}
