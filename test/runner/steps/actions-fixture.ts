import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { ActionSource } from "../../../runner/actions/action-source.ts";
import { BerthError } from "../../../runner/errors.ts";
import type { Template } from "../../../runner/expressions/template.ts";
import type { UsesStep } from "../../../runner/job/job-description.ts";

/** Files of repositories by `owner/repo`, then by path. */
export type Repositories = { readonly [repository: string]: { readonly [path: string]: string } };

/** Repositories in folders of their own, as an action source gives them; `fetched` says which were asked for. */
export type ActionsFixture = AsyncDisposable & {
  readonly actions: ActionSource;
  readonly fetched: string[];
};

export async function actionsFixture(repositories: Repositories): Promise<ActionsFixture> {
  const root = await mkdtemp(join(tmpdir(), "berth-actions-"));
  for (const [repository, files] of Object.entries(repositories)) {
    for (const [path, content] of Object.entries(files)) {
      const file = join(root, repository, path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, content);
    }
  }
  const fetched: string[] = [];
  return {
    fetched,
    actions: {
      async fetch({ owner, repo, ref }, { commit }) {
        fetched.push(`${owner}/${repo}@${ref}${commit === undefined ? "" : ` ${commit}`}`);
        if (repositories[`${owner}/${repo}`] === undefined) {
          const message = `Unable to resolve action ${owner}/${repo}@${ref}, repository not found`;
          throw new BerthError("ACTION_NOT_FOUND", { message });
        }
        const made = createHash("sha1").update(`${owner}/${repo}@${ref}`).digest("hex");
        return { owner, repo, ref, commit: commit ?? made, folder: join(root, owner, repo) };
      },
    },
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  };
}

/** A step that uses an action. */
export function uses(reference: string, step: Partial<Omit<UsesStep, "kind">> = {}): UsesStep {
  const id = `__${reference.replace(/[^A-Za-z0-9_-]/g, "_")}`;
  return { kind: "uses", id, if: "success()", uses: reference, ...step };
}

/** A script that writes files into the workspace. */
export function writeFiles(files: { readonly [path: string]: string }): { run: Template } {
  const commands = Object.entries(files).map(
    ([path, content]) =>
      `mkdir -p "$(dirname '${path}')"; cat > '${path}' <<'END-OF-FILE'\n${content}\nEND-OF-FILE`,
  );
  return { run: commands.join("\n") };
}
