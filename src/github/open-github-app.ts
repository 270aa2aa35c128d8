import { z } from "zod";
import type { Log } from "../log.ts";
import { type Api, connectApi, ofRepository } from "./ask-github.ts";
import { createCheckRuns } from "./check-runs.ts";
import type { ConnectOptions } from "./connect-octokit.ts";
import { createAgent, type ProxyEnvironment } from "./create-agent.ts";
import type { GitHubApp, Installation } from "./installation.ts";
import { createJobTokens, revokeToken } from "./job-token.ts";
import { JsonObjectAnswer } from "./json-answer.ts";
import { readRateLimit } from "./read-rate-limit.ts";
import { createReading } from "./read-repository.ts";

export type GitHubAppOptions = {
  /** Address of the REST API, such as `https://api.github.com`. */
  readonly apiUrl: string;
  readonly serverUrl: string;
  readonly appId: number;
  /** PEM. */
  readonly privateKey: string;
  /** Where the proxies stand. */
  readonly env: ProxyEnvironment;
  readonly log: Log;
  /** How often a request is tried. Default 4, over some 15 seconds. */
  readonly maxAttempts?: number;
  /** How long GitHub may be silent, in milliseconds. Default 30,000. */
  readonly requestTimeoutMs?: number;
  /** Between two requests of one installation that change something, in milliseconds. Default 1000, as GitHub asks. */
  readonly writeGapMs?: number;
  /** How long a second of waiting takes, in milliseconds. Default 1000; tests have less time. */
  readonly secondMs?: number;
};

/** The App's own page and webhook, beside what the service needs. */
export type OpenedGitHubApp = Omit<GitHubApp, "self" | "installations"> & {
  self(): Promise<AppFacts>;
  installations(): Promise<InstallationFacts[]>;
  /** `undefined` when the App has none. */
  webhook(): Promise<WebhookFacts | undefined>;
};

export type AppFacts = z.infer<typeof AppAnswer>;
export type InstallationFacts = z.infer<typeof InstallationAnswer>;
export type WebhookFacts = z.infer<typeof HookAnswer>;

const Grants = z.record(z.string(), z.string());

const AppAnswer = z
  .object({
    ...{ id: z.number(), slug: z.string(), name: z.string() },
    owner: z.object({ login: z.string(), type: z.string().default("User") }).nullish(),
    permissions: Grants,
    events: z.array(z.string()).default([]),
  })
  .transform(({ owner, ...app }) => ({
    ...app,
    owner: owner?.login ?? "",
    isOrganizations: owner?.type === "Organization",
  }));

const InstallationAnswer = z
  .object({
    id: z.number(),
    account: z.object({ login: z.string().optional(), slug: z.string().optional() }).nullable(),
    permissions: Grants,
    suspended_at: z.string().nullish(),
  })
  .transform(({ id, account, permissions, suspended_at: suspendedAt }) => ({
    id,
    // Enterprises have a slug in place of a login.
    account: account?.login ?? account?.slug ?? "",
    permissions,
    isSuspended: suspendedAt !== null && suspendedAt !== undefined,
  }));

const HookAnswer = z
  .object({
    url: z.string().nullish(),
    content_type: z.string().nullish(),
    insecure_ssl: z.union([z.string(), z.number()]).nullish(),
    secret: z.string().nullish(),
  })
  .transform((hook) => ({
    url: hook.url ?? "",
    isJson: hook.content_type === "json",
    checksTls: String(hook.insecure_ssl ?? "0") === "0",
    hasSecret: (hook.secret ?? "") !== "",
  }));

const DeliveryAnswer = z
  .object({
    // GitHub's are beyond what a number can hold.
    id: z.union([z.number(), z.bigint()]).transform(String),
    guid: z.string(),
    event: z.string(),
    action: z.string().nullable(),
    delivered_at: z.iso.datetime({ offset: true }),
    status_code: z.number(),
  })
  .transform(({ id, guid, event, action, delivered_at: at, status_code: status }) => ({
    ...{ id, guid, event, action, deliveredAtMs: Date.parse(at) },
    isOk: status >= 200 && status < 300,
  }));

const DeliveredAnswer = z.object({ request: z.object({ payload: JsonObjectAnswer }) });
const RepositoryName = z.object({ full_name: z.string() }).transform((one) => one.full_name);

/**
 * Speaks with GitHub as the App and as its installations. Nothing is asked before the first question; disposing of it closes the connections.
 *
 * Every question fails with a `BerthError`: `GITHUB_REFUSED` or `GITHUB_UNREACHABLE`.
 */
export function openGitHubApp(options: GitHubAppOptions): OpenedGitHubApp {
  const { requestTimeoutMs = 30_000, env, appId, log } = options;
  const apiUrl = options.apiUrl.replace(/\/+$/, "");
  const agent = createAgent({ env, silenceMs: requestTimeoutMs });
  const { maxAttempts = 4, secondMs = 1000, writeGapMs = 1000 } = options;
  const connecting: ConnectOptions = {
    ...{ apiUrl, appId, privateKey: options.privateKey, agent, log },
    ...{ maxAttempts, secondMs, writeGapMs },
  };
  const app = connectApi(connecting);
  const installations = new Map<
    number,
    { readonly api: Api; readonly installation: Installation }
  >();

  function open(id: number) {
    const opened = installations.get(id) ?? openInstallation(id, { app, connecting });
    installations.set(id, opened);
    return opened;
  }

  return {
    apiUrl,
    serverUrl: options.serverUrl,
    installation: (id) => open(id).installation,
    self: () => app.ask("GET /app", { what: "Reading who the App is", answer: AppAnswer }),
    webhook: () => {
      const what = "Reading the App's webhook";
      return app.askUnless([404], "GET /app/hook/config", { what, answer: HookAnswer });
    },
    installations: () => {
      const what = "Listing where the App is installed";
      return app.list("GET /app/installations", { what, answer: InstallationAnswer });
    },
    repositories: (id) => {
      const what = `Listing the repositories of installation ${id}`;
      return open(id).api.list("GET /installation/repositories", { what, answer: RepositoryName });
    },
    deliveries: (isEnough) => {
      const what = "Listing the App's deliveries";
      return app.list("GET /app/hook/deliveries", { what, answer: DeliveryAnswer }, isEnough);
    },
    async deliveryPayload(id) {
      const what = `Reading the delivery ${id}`;
      const parameters = { delivery_id: id };
      const route = "GET /app/hook/deliveries/{delivery_id}";
      return (await app.ask(route, { what, parameters, answer: DeliveredAnswer })).request.payload;
    },
    async redeliver(id) {
      const what = `Asking for the delivery ${id} again`;
      const parameters = { delivery_id: id };
      const route = "POST /app/hook/deliveries/{delivery_id}/attempts";
      await app.ask(route, { what, parameters, answer: z.unknown() });
    },
    async [Symbol.asyncDispose]() {
      await (await agent).destroy();
    },
  };
}

function openInstallation(
  id: number,
  { app, connecting }: { readonly app: Api; readonly connecting: ConnectOptions },
): { readonly api: Api; readonly installation: Installation } {
  const api = connectApi({ ...connecting, installationId: id });
  const { log } = connecting;
  const withToken = (token: string) => connectApi({ ...connecting, token });
  const installation: Installation = {
    id,
    ...createReading(api, log),
    ...createCheckRuns(api, connecting),
    jobToken: createJobTokens({ app, installationId: id, withToken, log }),
    revokeToken: (token) => revokeToken(token, { withToken, log }),
    rateLimit: readRateLimit(api),
    async cancelRun(repository, runId, { isForced = false } = {}) {
      const how = isForced ? "force-cancel" : "cancel";
      // 409: it has ended, so there is nothing to cancel.
      await api.askUnless([409], `POST /repos/{owner}/{repo}/actions/runs/{run_id}/${how}`, {
        what: `Cancelling run ${runId} of ${repository}`,
        parameters: { ...ofRepository(repository), run_id: runId },
        answer: z.unknown(),
      });
    },
  };
  return { api, installation };
}
