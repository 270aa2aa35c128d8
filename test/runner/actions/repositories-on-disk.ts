import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { ActionRepository, ActionSource } from "../../../runner/actions/action-source.ts";
import { repositoryKey } from "../../../runner/actions/parse-reference.ts";
import { BerthError } from "../../../runner/errors.ts";

type Files = { readonly [path: string]: string | { readonly linkTo: string } };

/** A source of repositories that lie on this disk as they would when fetched. */
export type RepositoriesOnDisk = AsyncDisposable & {
  readonly source: ActionSource;
  /** What was asked for, as `owner/repo@ref`, with the commit if one was given. */
  readonly asked: readonly string[];
  /** The most that were fetched at the same time. */
  readonly mostAtOnce: () => number;
  /** The repository as `source` hands it out. */
  repository(name: string): ActionRepository;
};

/** @param repositories `owner/repo@ref` to its files. */
export async function repositoriesOnDisk(repositories: {
  readonly [name: string]: Files;
}): Promise<RepositoriesOnDisk> {
  const folder = await mkdtemp(join(tmpdir(), "berth-actions-"));
  const known = new Map<string, ActionRepository>();
  for (const [index, [name, files]] of Object.entries(repositories).entries()) {
    const root = join(folder, `${index}`);
    await mkdir(root);
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      if (typeof content === "string") await writeFile(join(root, path), content);
      else await symlink(content.linkTo, join(root, path));
    }
    const [, owner = "", repo = "", ref = ""] = /^([^/]+)\/([^@]+)@(.+)$/.exec(name) ?? [];
    const commit = `${index}`.padStart(40, "c");
    known.set(repositoryKey({ owner, repo, ref }), { owner, repo, ref, commit, folder: root });
  }

  const asked: string[] = [];
  let running = 0;
  let mostAtOnce = 0;
  return {
    asked,
    mostAtOnce: () => mostAtOnce,
    repository(name) {
      const [, owner = "", repo = "", ref = ""] = /^([^/]+)\/([^@]+)@(.+)$/.exec(name) ?? [];
      const found = known.get(repositoryKey({ owner, repo, ref }));
      if (!found) throw new Error(`no repository ${name}`);
      return found;
    },
    source: {
      async fetch({ owner, repo, ref }, { commit, signal }) {
        asked.push(`${owner}/${repo}@${ref}${commit ? ` at ${commit}` : ""}`);
        mostAtOnce = Math.max(mostAtOnce, ++running);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        signal.throwIfAborted();
        const found = known.get(repositoryKey({ owner, repo, ref }));
        if (found) return { ...found, ...(commit && { commit }) };
        throw new BerthError("ACTION_NOT_FOUND", {
          message: `Unable to resolve action ${owner}/${repo}@${ref}`,
          remedy: "Look again.",
        });
      },
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
