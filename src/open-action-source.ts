import { join } from "node:path";
import type { ActionSource } from "../runner/actions/action-source.ts";
import { isOwnerAlive, thisOwner } from "./containers/owner.ts";
import { createActionSource } from "./github/action-source.ts";
import { createGitHubClient, type GitHubServer } from "./github/github-client.ts";
import type { LocalAction } from "./github/local-repository.ts";
import { openActionCache } from "./store/action-cache.ts";

/**
 * Opens where the actions of a run come from. Disposing of it, when no job uses them any more, closes the connections and lets the cache
 * remove what it holds.
 */
export function openActionSource({
  server,
  localActions,
  stateFolder,
}: {
  readonly server: GitHubServer;
  readonly localActions: readonly LocalAction[];
  readonly stateFolder: string;
}): ActionSource & AsyncDisposable {
  const opened = new AsyncDisposableStack();
  const client = opened.use(createGitHubClient({ ...server, env: process.env }));
  const folder = join(stateFolder, "actions");
  const cache = opened.use(openActionCache(folder, { owner: thisOwner(), isAlive: isOwnerAlive }));
  const source = createActionSource({ client, cache, localActions });
  return { ...source, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}
