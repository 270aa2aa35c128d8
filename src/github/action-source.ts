import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { RepositoryReference } from "../../runner/actions/action-reference.ts";
import type { ActionRepository, ActionSource } from "../../runner/actions/action-source.ts";
import { BerthError } from "../../runner/errors.ts";
import type { ActionCache } from "../store/action-cache.ts";
import type { GitHubClient } from "./github-client.ts";
import { type LocalAction, localRepository } from "./local-repository.ts";
import {
  explainMissing,
  isFullCommit,
  nameOf,
  repositoryPath,
  resolveCommit,
} from "./resolve-commit.ts";
import { shareWork } from "./share-work.ts";
import { type UnpackLimits, unpackArchive } from "./unpack-archive.ts";

export type ActionSourceOptions = {
  readonly client: GitHubClient;
  readonly cache: ActionCache;
  /** Folders that stand in for repositories. */
  readonly localActions?: readonly LocalAction[] | undefined;
  readonly limits?: UnpackLimits | undefined;
};

type FetchOptions = Parameters<ActionSource["fetch"]>[1];
type Resolved = { readonly commit: string; readonly warning?: string };

/**
 * Takes actions from folders given for them, from the cache, and from GitHub. A branch or tag is asked for once, however many jobs name it; when
 * GitHub does not answer, what it said last time holds, and the log says so.
 */
export function createActionSource(options: ActionSourceOptions): ActionSource {
  const { client, cache, localActions = [] } = options;
  const commits = shareWork<Resolved>();
  const folders = shareWork<string>();
  const locals = shareWork<Pick<ActionRepository, "server" | "commit" | "folder">>();

  return {
    async fetch(reference, fetching) {
      checkNames(reference);
      const { progress, signal } = fetching;
      const key = [reference.owner, reference.repo].join("/").toLowerCase();
      const local = localRepository(reference, localActions);
      if (local !== undefined) {
        progress(`${nameOf(reference)} is taken from ${local.words}, as --local-action says.`);
        const { commit } = fetching;
        const take = () => local.take(cache, { commit, signal });
        return {
          ...(await locals(`${key}@${reference.ref} ${commit}`, take, signal)),
          ...reference,
        };
      }

      const { commit, warning } = isFullCommit(fetching.commit ?? reference.ref)
        ? { commit: (fetching.commit ?? reference.ref).toLowerCase() }
        : await commits(`${key}@${reference.ref}`, () => resolve(reference, fetching), signal);
      if (warning !== undefined) progress(warning);
      const download = () => getFolder({ ...reference, commit }, fetching);
      const folder = await folders(`${key} ${commit}`, download, signal);
      return { ...reference, server: serverOf(client), commit, folder };
    },
  };

  async function resolve(
    reference: RepositoryReference,
    fetching: FetchOptions,
  ): Promise<Resolved> {
    const ref = { server: serverOf(client), ...reference };
    const answer = await resolveCommit(client, reference, fetching);
    if (answer.kind === "done") {
      await cache.remember(ref, answer.value);
      return { commit: answer.value };
    }
    const known = await cache.recall(ref);
    const isHere = known && (await cache.find({ ...ref, commit: known.commit })) !== undefined;
    if (!isHere) throw answer.error;
    const { commit, asOf } = known;
    const day = asOf.toISOString().slice(0, 10);
    const goingOn = `Going on with ${nameOf(reference)} as it was on ${day}, commit ${commit}.`;
    return { commit, warning: `##[warning]${answer.error.message} ${goingOn}` };
  }

  async function getFolder(
    repository: RepositoryReference & { readonly commit: string },
    fetching: FetchOptions,
  ): Promise<string> {
    const key = { ...repository, server: serverOf(client) };
    const found = await cache.find(key);
    if (found !== undefined) return found;
    return cache.add(key, async (folder) => {
      await download(repository, folder, fetching);
      return repository;
    });
  }

  async function download(
    repository: RepositoryReference & { readonly commit: string },
    folder: string,
    { progress, signal }: FetchOptions,
  ): Promise<void> {
    const { owner, repo, commit } = repository;
    const what = `Downloading action '${nameOf(repository)}' (${commit})`;
    const name = `${owner}/${repo} at ${commit}`;
    const answer = await client.get(`${repositoryPath(repository)}/tarball/${commit}`, {
      accept: "application/vnd.github+json",
      what,
      progress,
      signal,
      async read(body) {
        await emptyFolder(folder);
        await unpackArchive(body, folder, { name, signal, limits: options.limits });
      },
    });
    if (answer.kind === "missing") {
      throw await explainMissing(client, repository, { progress, signal });
    }
    if (answer.kind === "unanswered") throw answer.error;
  }
}

/** The server whose word a commit is: another one could send anything under the same id. */
function serverOf({ apiUrl }: GitHubClient): string {
  const { host, pathname } = new URL(apiUrl);
  return host + pathname.replace(/\/+$/, "");
}

async function emptyFolder(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    await rm(join(folder, name), { recursive: true, force: true });
  }
}

/** Names that are no names would become other paths, on the server and on the disk. */
function checkNames(reference: RepositoryReference): void {
  const isName = (text: string) => /^[\w.-]+$/.test(text) && !/^\.+$/.test(text);
  if (isName(reference.owner) && isName(reference.repo)) return;
  throw new BerthError("ACTION_NOT_FOUND", {
    message: `Unable to resolve action \`${nameOf(reference)}\`: no repository can be called ${reference.owner}/${reference.repo}.`,
    remedy: "Write OWNER/REPO@REF, with letters, digits, `.`, `_` and `-` in the names.",
  });
}
