import { createAppAuth } from "@octokit/auth-app";
import { retry } from "@octokit/plugin-retry";
import { throttling } from "@octokit/plugin-throttling";
import { Octokit } from "@octokit/rest";
import PQueue from "p-queue";
import type { Dispatcher } from "undici";
import type { Log } from "../log.ts";

export type ConnectOptions = {
  readonly apiUrl: string;
  readonly appId: number;
  /** PEM. */
  readonly privateKey: string;
  /** Without one it speaks as the App itself. */
  readonly installationId?: number;
  /** In place of both: whose token this is. */
  readonly token?: string;
  readonly agent: Promise<Dispatcher>;
  readonly log: Log;
  /** How often a request is tried. */
  readonly maxAttempts: number;
  /** How long a second of waiting takes, in milliseconds: tests shorten all waits by it. */
  readonly secondMs: number;
  /** GitHub asks for a second between two requests that change something; in milliseconds. */
  readonly writeGapMs: number;
};

/** A longer wait is the caller's to do: it has other work meanwhile. */
const MAX_WAIT_SECONDS = 60;
/** Asking again gives the same answer; 429 and limits are the throttling plugin's. */
const FINAL = [400, 401, 403, 404, 409, 410, 422, 429, 451];

const ThrottledOctokit = Octokit.plugin(retry, throttling);

/** An Octokit that renews its token, waits where GitHub wants it to, and tries again what GitHub could not do. */
export function connectOctokit(options: ConnectOptions): Octokit {
  const { apiUrl, appId, privateKey, installationId, token, maxAttempts, secondMs } = options;
  const log = quietLog(options.log);
  const who = { appId, privateKey, ...(installationId !== undefined && { installationId }) };
  const asApp = { authStrategy: createAppAuth, auth: { ...who, log } };
  const octokit = new ThrottledOctokit({
    baseUrl: apiUrl,
    userAgent: "berth-runner",
    ...(token === undefined ? asApp : { auth: token }),
    log,
    request: { fetch: fetchThrough(options.agent), log },
    retry: { doNotRetry: FINAL, retries: maxAttempts - 1, retryAfterBaseValue: secondMs },
    throttle: {
      id: `${apiUrl} ${appId} ${installationId ?? "app"}`,
      retryAfterBaseValue: secondMs,
      onRateLimit: isWorthWaiting(maxAttempts),
      onSecondaryRateLimit: isWorthWaiting(maxAttempts),
      // The plugin's own queue cannot be told how long to wait.
      write: writeQueue(options.writeGapMs) as never,
    },
  });
  if (installationId !== undefined && token === undefined) renewRefusedToken(octokit);
  return octokit;
}

/** Octokit tells of every request; what fails is told where it is handled. */
function quietLog({ debug, warn }: Log) {
  return {
    debug() {},
    info: (message: string) => debug({ said: message }, "asked GitHub"),
    warn: (message: string) => warn({ said: message }, "Octokit warns"),
    error: (message: string) => debug({ said: message }, "asked GitHub in vain"),
  };
}

function fetchThrough(agent: Promise<Dispatcher>) {
  return async (url: string, init: object) => {
    const { default: undici } = await import("undici");
    return undici.fetch(url, { ...init, dispatcher: await agent });
  };
}

function isWorthWaiting(maxAttempts: number) {
  return (seconds: number, _options: unknown, _octokit: unknown, retries: number) =>
    retries < maxAttempts - 1 && seconds <= MAX_WAIT_SECONDS;
}

/** As much of a Bottleneck group as the plugin uses: a turn for each write. */
function writeQueue(gapMs: number) {
  const queue = new PQueue({ concurrency: 1, interval: gapMs, intervalCap: 1 });
  const schedule = (_options: unknown, turn: () => Promise<void>) => queue.add(turn);
  return { key: () => ({ schedule }) };
}

/** A token may end before its hour: the key was changed, or the installation suspended and taken up again. */
function renewRefusedToken(octokit: Octokit): void {
  octokit.hook.wrap("request", async (request, options) => {
    // The making of a token comes through here too, and must not wait for itself.
    if (options.url.endsWith("/access_tokens")) return await request(options);
    try {
      return await request(options);
    } catch (error) {
      if (statusOf(error) !== 401) throw error;
      await octokit.auth({ type: "installation", refresh: true });
      return await request(options);
    }
  });
}

/** The HTTP status that an error of Octokit's came with; 500 for no answer at all. */
export function statusOf(error: unknown): number | undefined {
  const isOctokits = typeof error === "object" && error !== null && "status" in error;
  return isOctokits && typeof error.status === "number" ? error.status : undefined;
}
