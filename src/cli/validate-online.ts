import { BerthError } from "../../runner/errors.ts";
import type { ServiceConfig } from "../config/resolve-files.ts";
import { type AppFindings, type AppState, checkApp } from "../github/check-app.ts";
import { openGitHubApp } from "../github/open-github-app.ts";
import { createLog } from "../log.ts";

export type Online = AppFindings & {
  /** Missing when GitHub refused to tell. */
  readonly github?: {
    readonly app: { readonly id: number; readonly slug: string; readonly owner: string };
    readonly webhook: string;
    readonly installations: readonly string[];
  };
};

/** A person waits for the answer. */
const MAX_ATTEMPTS = 2;

/**
 * Asks GitHub whether the App can do what Berth needs: key, permissions, events, webhook, installations. Changes nothing.
 *
 * @param options `secrets` never get into what is printed.
 * @throws {BerthError} `GITHUB_UNREACHABLE`
 */
export async function validateOnline(
  { github, intake }: ServiceConfig,
  { env, secrets }: { readonly env: NodeJS.ProcessEnv; readonly secrets: readonly string[] },
): Promise<Online> {
  const mask = (line: string) => secrets.reduce((text, one) => text.replaceAll(one, "***"), line);
  const log = createLog({ level: "warn", format: "text", out: process.stderr, mask });
  await using app = openGitHubApp({
    ...{ apiUrl: github.apiUrl, serverUrl: github.url, env, log, maxAttempts: MAX_ATTEMPTS },
    ...{ appId: github.app.id, privateKey: github.app.privateKey },
  });
  try {
    const self = await app.self();
    const [webhook, installations] = await Promise.all([app.webhook(), app.installations()]);
    const state = { app: self, webhook, installations, serverUrl: github.url, intake };
    return { ...checkApp(state), github: summaryOf(state) };
  } catch (error) {
    if (!(error instanceof BerthError) || error.code !== "GITHUB_REFUSED") throw error;
    return { problems: [{ message: error.message, remedy: error.remedy ?? "" }], notes: [] };
  }
}

function summaryOf({ app, webhook, installations }: AppState): NonNullable<Online["github"]> {
  return {
    app: { id: app.id, slug: app.slug, owner: app.owner },
    webhook: webhook?.url ?? "",
    installations: installations.map(({ account }) => account),
  };
}

/** For people; problems are the error's. */
export function describeOnline({ github, notes }: Online): string {
  if (github === undefined) return "";
  const rows = [
    ["App", `${github.app.slug}, of ${github.app.owner}`],
    ["hook", github.webhook || "none"],
    ["installed", github.installations.join(", ") || "nowhere"],
    ...notes.map((note) => ["note", note]),
  ];
  const lines = rows.map(([title = "", text = ""]) => `  ${title.padEnd(9)} ${text}\n`);
  return `GitHub knows the App.\n${lines.join("")}`;
}

/** All that has to be put right, as one error. */
export function onlineInvalid({ problems }: Online): BerthError {
  const lines = problems.map(({ message, remedy }) => `\n  - ${message}\n    ${remedy}`);
  return new BerthError("CONFIG_INVALID", {
    message: `Berth cannot work with this App yet:${lines.join("")}`,
  });
}
