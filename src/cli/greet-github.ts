import { BerthError, textOf } from "../../runner/errors.ts";
import { type GitHubAppOptions, openGitHubApp } from "../github/open-github-app.ts";

/** The service starts without GitHub, if need be: it does not wait long. */
const PATIENCE_MS = 5_000;

/**
 * Asks GitHub once who the App is, so that a wrong key is told at the start. A GitHub that does not answer is no reason not to start.
 *
 * @throws {BerthError} `GITHUB_REFUSED`
 */
export async function greetGitHub(options: GitHubAppOptions): Promise<void> {
  const { log, apiUrl } = options;
  await using app = openGitHubApp({ ...options, maxAttempts: 1, requestTimeoutMs: PATIENCE_MS });
  try {
    const { slug } = await app.self();
    log.info({ app: slug, apiUrl }, "GitHub knows the App");
  } catch (error) {
    if (!(error instanceof BerthError) || error.code !== "GITHUB_UNREACHABLE") throw error;
    log.warn({ why: textOf(error) }, "GitHub does not answer, the service starts and asks again");
  }
}
