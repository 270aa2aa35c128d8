import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { text as textOf } from "node:stream/consumers";
import { BerthError } from "../errors.ts";
import type { StepDescription } from "../job/job-description.ts";
import type { BuildSource } from "../job/siblings.ts";
import { MAX_FILE_BYTES } from "../workflow/read-tokens.ts";
import type { ActionManifest } from "./action-manifest.ts";
import type { RepositoryActionReference } from "./action-reference.ts";
import type { ActionRepository } from "./action-source.ts";
import { MANIFEST_NAMES, type ManifestName, toManifest } from "./find-manifest.ts";
import { parseActionReference, printReference } from "./parse-reference.ts";

/** An action of another repository, fetched and read. */
export type PreparedAction = {
  readonly reference: RepositoryActionReference;
  readonly repository: ActionRepository;
  /** `$/path` in its steps is written out as `owner/repo/path@ref`. */
  readonly manifest: ActionManifest;
  /** Where it lies in the job, below the folder of all actions: `OWNER/REPO/REF[/PATH]`. */
  readonly folder: string;
  /** `folder` and the manifest's name, as errors call it. */
  readonly manifestFile: string;
  /** Of a docker action with a Dockerfile: where that is. It exists and lies within the repository. */
  readonly build?: BuildSource;
};

/**
 * Finds and reads the manifest of an action in its unpacked repository, where nothing is followed out of the repository.
 *
 * @throws {BerthError} `ACTION_NOT_FOUND` when there is none, `ACTION_INVALID` when it cannot be used.
 */
export async function readRepositoryAction(
  reference: RepositoryActionReference,
  repository: ActionRepository,
): Promise<PreparedAction> {
  const { owner, repo, ref } = repository;
  const { path } = reference;
  const folder = `${owner}/${repo}/${ref}${path && `/${path}`}`;
  const root = await realpath(repository.folder);
  const found = await findManifest(join(root, path));
  if (!found) throw manifestMissing(reference, repository);
  if (!isWithin(root, found.target)) throw leadsOut(found.name, reference);

  const manifestFile = `${folder}/${found.name}`;
  const text = await textOf(createReadStream(found.target, { end: MAX_FILE_BYTES }));
  const manifest = toManifest(found.name, text, manifestFile);
  const build = await findBuild(manifest, join(root, path), { root, reference });
  return {
    reference,
    repository,
    manifest: withoutSelf(manifest, repository),
    folder,
    manifestFile,
    ...(build && { build }),
  };
}

async function findManifest(
  folder: string,
): Promise<{ readonly name: ManifestName; readonly target: string } | undefined> {
  for (const name of MANIFEST_NAMES) {
    const target = await targetOf(join(folder, name));
    if (target) return { name, target };
  }
  return undefined;
}

/** Where a file really is, all links followed; `undefined` when there is no such file. */
async function targetOf(path: string): Promise<string | undefined> {
  try {
    const target = await realpath(path);
    return (await stat(target)).isFile() ? target : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function findBuild(
  { runs }: ActionManifest,
  folder: string,
  { root, reference }: { readonly root: string; readonly reference: RepositoryActionReference },
): Promise<BuildSource | undefined> {
  if (runs.using !== "docker" || runs.image.kind !== "dockerfile") return undefined;
  const path = join(folder, runs.image.path);
  const target = isWithin(root, path) ? await targetOf(path) : root;
  if (!target) throw dockerfileMissing(runs.image.path, reference);
  const context = isWithin(root, path) ? await realpath(dirname(path)) : dirname(path);
  if (!isWithin(root, target) || !(context === root || isWithin(root, context))) {
    throw leadsOut(runs.image.path, reference);
  }
  return { side: "trusted", folder: context, dockerfile: basename(path) };
}

/** The manifest with `$/path` as what it stands for in this repository. */
function withoutSelf(manifest: ActionManifest, repository: ActionRepository): ActionManifest {
  const { runs } = manifest;
  if (runs.using !== "composite") return manifest;
  const steps = runs.steps.map((step): StepDescription => {
    if (step.kind !== "uses" || !step.uses.startsWith("$/")) return step;
    const reference = parseActionReference(step.uses, repository);
    return reference.kind === "repository" ? { ...step, uses: printReference(reference) } : step;
  });
  return { ...manifest, runs: { ...runs, steps } };
}

function isWithin(root: string, path: string): boolean {
  const inside = relative(root, path);
  return inside !== "" && inside !== ".." && !inside.startsWith("../");
}

function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return ["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG"].includes(code ?? "");
}

function manifestMissing(
  reference: RepositoryActionReference,
  { commit }: ActionRepository,
): BerthError {
  const { owner, repo, path } = reference;
  const isWorkflow = /\.ya?ml$/.test(path);
  return new BerthError("ACTION_NOT_FOUND", {
    message: `Can't find 'action.yml', 'action.yaml' or 'Dockerfile' for action '${printReference(reference)}'. Looked in ${path ? `the folder '${path}'` : "the root"} of ${owner}/${repo} at ${commit}.`,
    remedy: isWorkflow
      ? "A workflow of another repository is called by the `uses:` of a job, not of a step."
      : "Check the path and the ref: an action may have moved, or be in a folder of its repository ('{owner}/{repo}/path@ref').",
  });
}

function leadsOut(name: string, reference: RepositoryActionReference): BerthError {
  return new BerthError("ACTION_INVALID", {
    message: `'${name}' of action '${printReference(reference)}' leads out of the action's repository.`,
    remedy: "Tell the action's author, and use another version of it until then.",
  });
}

function dockerfileMissing(path: string, reference: RepositoryActionReference): BerthError {
  return new BerthError("ACTION_INVALID", {
    message: `Action '${printReference(reference)}' is to be built from '${path}', which is not in its repository.`,
    remedy: "Check the ref: the action's author may have moved the file in another version.",
  });
}
