import { BerthError } from "../errors.ts";
import type { RepositoryReference } from "./action-reference.ts";

/**
 * Where a repository lies below the folder of all actions: `OWNER/REPO/REF`.
 *
 * @throws {BerthError} `ACTION_INVALID` where that would lead out of it.
 */
export function actionFolder({ owner, repo, ref }: RepositoryReference): string {
  const path = `${owner}/${repo}/${ref}`;
  const isPath = path
    .split("/")
    .every((part) => part !== "" && part !== "." && part !== ".." && !part.includes("\0"));
  if (isPath) return path;
  throw new BerthError("ACTION_INVALID", {
    message: `${owner}/${repo}@${ref} names no action: it cannot be a folder.`,
    remedy: "Correct the uses: of the step.",
  });
}
