import type { GitHubServer } from "../github/github-client.ts";
import { apiOf } from "./event/github-context.ts";

const GITHUB = "https://github.com";

export type ServerFlags = {
  readonly githubUrl?: string | undefined;
  readonly apiUrl?: string | undefined;
  readonly token?: string | undefined;
};

/**
 * The server that actions come from: what the flags name, else the GitHub that the repository is from, else github.com. A repository's
 * remote is no reason to send a token somewhere, nor is one for another server's: without flags only GitHub's own hosts get it.
 *
 * @param serverUrl Of the remote `origin`.
 */
export function actionServer(
  { githubUrl, apiUrl, token }: ServerFlags,
  serverUrl: string,
): GitHubServer {
  if (apiUrl !== undefined) return { apiUrl, token };
  if (githubUrl !== undefined) return { apiUrl: apiOf(githubUrl), token };
  const isGitHubs = serverUrl === GITHUB || /^https:\/\/[\w-]+\.ghe\.com$/.test(serverUrl);
  return isGitHubs ? { apiUrl: apiOf(serverUrl), token } : { apiUrl: apiOf(GITHUB) };
}
