import type { RepositoryReference } from "../../runner/actions/action-reference.ts";
import type { ActionRepository } from "../../runner/actions/action-source.ts";
import { BerthError } from "../../runner/errors.ts";
import type { ActionCache } from "../store/action-cache.ts";
import { snapshotFolders } from "../store/snapshot-folders.ts";

/** A folder that stands in for a repository at a ref, or for a folder of it. */
export type LocalAction = RepositoryReference & {
  /** Within the repository, `""` for its root. */
  readonly path: string;
  /** Absolute. */
  readonly folder: string;
};

/** What stands in for a repository. */
export type LocalRepository = {
  /** The folders, for the log. */
  readonly words: string;
  /**
   * A copy, so that nothing changes under a running job.
   *
   * @param options `commit` is what an earlier life of the job got.
   * @throws {BerthError} `ACTION_FETCH_FAILED` when the folders hold what no action may, or something else than for `commit`.
   */
  take(
    cache: ActionCache,
    options: { readonly commit: string | undefined; readonly signal: AbortSignal },
  ): Promise<Required<Pick<ActionRepository, "server" | "commit" | "folder">>>;
};

/** Names no server can have. */
const SERVER = "local folders";

/** The folders given for a reference, all paths of it together; `undefined` when there is none. */
export function localRepository(
  { owner, repo, ref }: RepositoryReference,
  localActions: readonly LocalAction[],
): LocalRepository | undefined {
  const isSame = (one: string, other: string) => one.toLowerCase() === other.toLowerCase();
  const parts = localActions.filter(
    (local) => isSame(local.owner, owner) && isSame(local.repo, repo) && local.ref === ref,
  );
  if (parts.length === 0) return undefined;
  const key = { server: SERVER, owner, repo };
  const words = parts.map(({ path, folder }) => (path === "" ? folder : `${folder} (${path})`));

  return {
    words: words.join(", "),
    async take(cache, { commit: before, signal }) {
      const kept = before === undefined ? undefined : await cache.find({ ...key, commit: before });
      if (before !== undefined && kept !== undefined)
        return { server: SERVER, commit: before, folder: kept };
      let commit = await snapshotFolders(parts, { signal });
      let folder = await cache.find({ ...key, commit });
      folder ??= await cache.add(key, async (target) => {
        // Hashed again: it may have changed since.
        commit = await snapshotFolders(parts, { target, signal });
        return { commit };
      });
      if (before !== undefined && before !== commit) throw changed(`${owner}/${repo}@${ref}`);
      return { server: SERVER, commit, folder };
    },
  };
}

function changed(name: string): BerthError {
  return new BerthError("ACTION_FETCH_FAILED", {
    message: `The folder that --local-action gives for ${name} has changed since this job began.`,
    remedy: "Run the job anew.",
  });
}
