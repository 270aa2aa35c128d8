import { existsSync } from "node:fs";
import { join as joinHere } from "node:path";
import { join } from "node:path/posix";
import type { ActionManifest, DockerActionImage } from "../actions/action-manifest.ts";
import type { ActionReference } from "../actions/action-reference.ts";
import {
  localManifestMissing,
  MANIFEST_LIMIT_BYTES,
  MANIFEST_NAMES,
  toManifest,
} from "../actions/find-manifest.ts";
import { parseActionReference, printReference } from "../actions/parse-reference.ts";
import type { PreparedAction } from "../actions/read-repository-action.ts";
import { type RunningJob, runCommand } from "../job/running-job.ts";
import type { RunningStep } from "./running-step.ts";
import { ownRepository } from "./step-scope.ts";

/** What a step uses, read and ready to run. */
export type LoadedAction = {
  readonly reference: ActionReference;
  /** As logs call it: `owner/repo[/path]@ref`, `./path`, `docker://image`. */
  readonly title: string;
  readonly manifest: ActionManifest;
  /** Where it lies in the job; empty for an image. */
  readonly folder: string;
  /** Of an action of another repository. */
  readonly prepared?: PreparedAction;
};

/** What `uses` names in the steps of this job; `$/path` is of the job's own repository. */
export function referenceOf(uses: string, running: RunningJob): ActionReference {
  return parseActionReference(uses, ownRepository(running.job));
}

/** What is known of an action before it runs: all but those that lie in the workspace. */
export function findAction(
  reference: Exclude<ActionReference, { kind: "local" }>,
  running: RunningJob,
): LoadedAction {
  if (reference.kind === "image") return loadImage(reference);
  const prepared = running.actions.find(reference);
  const folder = join(running.place.paths.actions, prepared.folder);
  const { manifest } = prepared;
  return { reference, title: printReference(reference), manifest, folder, prepared };
}

/**
 * Finds out what a step uses when it runs. A folder of the workspace is read through the shell.
 *
 * @throws {BerthError} `ACTION_NOT_FOUND`, `ACTION_INVALID`
 */
export async function loadAction(
  reference: ActionReference,
  self: Pick<RunningStep, "running" | "token">,
): Promise<LoadedAction> {
  if (reference.kind !== "local") return findAction(reference, self.running);
  const folder = join(self.running.place.paths.workspace, reference.path.replaceAll("\\", "/"));
  const { workspace } = self.running.place.paths;
  const [name = "", text = ""] = await readFirstManifest(folder.replace(/\/$/, ""), self);
  const known = MANIFEST_NAMES.find((manifest) => manifest === name);
  if (known === undefined) throw localManifestMissing(folder.replace(/\/$/, ""));
  const file = join(folder, name);
  const shown = file.startsWith(`${workspace}/`) ? file.slice(workspace.length + 1) : file;
  return {
    reference,
    title: reference.path,
    manifest: toManifest(known, text, shown),
    folder: folder.replace(/\/$/, ""),
  };
}

/**
 * Whether a program of an action exists. That of another repository is looked for on the trusted side's disk; of the workspace
 * nobody knows before it runs.
 */
export function hasProgram({ prepared }: LoadedAction, file: string): boolean {
  if (prepared === undefined) return true;
  const { repository, reference } = prepared;
  return existsSync(joinHere(repository.folder, reference.path, file));
}

/** `uses: docker://image` as an action without inputs of its own. */
function loadImage(reference: ActionReference & { kind: "image" }): LoadedAction {
  const image: DockerActionImage = { kind: "registry", image: reference.image };
  const conditions = { preIf: "always()", postIf: "always()" };
  const manifest: ActionManifest = {
    inputs: {},
    runs: { using: "docker", image, env: {}, ...conditions },
  };
  return { reference, title: `docker://${reference.image}`, manifest, folder: "" };
}

/** Which of the possible manifests a folder has, and its text; both travel in one file, the name in its first line. */
async function readFirstManifest(
  folder: string,
  { running, token }: Pick<RunningStep, "running" | "token">,
): Promise<[name: string, text: string] | []> {
  const copy = `${running.place.paths.temp}/_manifest_${token}`;
  const result = await runCommand(
    running,
    {
      argv: ["sh", "-c", COPY_FIRST, "sh", copy, folder, ...MANIFEST_NAMES],
      cwd: "/",
      env: {},
      collect: [{ path: copy, limitBytes: MANIFEST_LIMIT_BYTES + 64 }],
    },
    { onOutput: () => undefined },
  );
  const text = result.files[copy]?.content.toString();
  if (text === undefined) return [];
  const end = text.indexOf("\n");
  return [text.slice(0, end), text.slice(end + 1)];
}

const COPY_FIRST = `copy=$1 folder=$2
shift 2
for name; do
  if [ -f "$folder/$name" ]; then
    { echo "$name"; head -c ${MANIFEST_LIMIT_BYTES + 1} "$folder/$name"; } > "$copy"
    exit
  fi
done 2>/dev/null`;
