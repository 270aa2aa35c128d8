import { type GitHubAppOptions, openGitHubApp } from "../../../src/github/open-github-app.ts";
import type { LocalHub } from "../../../src/localhub/local-hub.ts";

export type Logged = { readonly level: string; readonly fields: unknown; readonly message: string };

/** A log that keeps what is told. */
export function keptLog() {
  const told: Logged[] = [];
  const at = (level: string) => (fields: unknown, message?: string) =>
    void told.push({ level, fields, message: message ?? "" });
  const log = { error: at("error"), warn: at("warn"), info: at("info"), debug: at("debug") };
  return { log: log as unknown as GitHubAppOptions["log"], told };
}

/** The hub's App, with waits that a test can afford. */
export function openApp(hub: LocalHub, options: Partial<GitHubAppOptions> = {}) {
  return openGitHubApp({
    ...{ apiUrl: hub.apiUrl, serverUrl: hub.url, env: {}, log: keptLog().log },
    ...{ appId: hub.app.id, privateKey: hub.app.privateKey },
    ...{ secondMs: 1, writeGapMs: 0, ...options },
  });
}

/** The code, message and remedy of the error that something ends with. */
export async function refusalOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    const { code, message, remedy } = error as { code?: string; message: string; remedy?: string };
    return [code, message, remedy].join("\n");
  }
  throw new Error("it was expected to fail");
}
