import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { Dispatcher } from "undici";
import { BerthError } from "../../runner/errors.ts";
import { createAgent } from "./create-agent.ts";
import { bareUrl, describeAnswer, describeFailure, readStart } from "./github-errors.ts";
import { limitOf } from "./rate-limit.ts";

export type GitHubServer = {
  /** Address of the REST API, such as `https://api.github.com`. */
  readonly apiUrl: string;
  readonly token?: string | undefined;
  /** What to do about a repository that is not there, beside checking its name. Default: what flags of a command can do. */
  readonly ifNotFound?: string;
};

export type GitHubClientOptions = GitHubServer & {
  /** Where the proxies stand: `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`, in small letters too. */
  readonly env: { readonly [name: string]: string | undefined };
  /** The first wait between two tries, in milliseconds; it doubles, and up to as much again is added by chance. */
  readonly backoffMs?: number | undefined;
  /** How long the server may be silent, in milliseconds. */
  readonly silenceMs?: number | undefined;
  /** The longest wait that a server may ask for, in milliseconds. */
  readonly maxWaitMs?: number | undefined;
};

export type GetOptions<T> = {
  readonly accept: string;
  /** What it is for: `Downloading actions/checkout`. */
  readonly what: string;
  /** Takes a good answer; when this fails, but for a `BerthError`, it is tried again. */
  read(body: Readable, contentType: string): Promise<T>;
  progress(line: string): void;
  readonly signal: AbortSignal;
};

export type GitHubAnswer<T> =
  | { readonly kind: "done"; readonly value: T }
  /** There is no such thing, or none that this token may see. */
  | { readonly kind: "missing" }
  /** However often it was tried: no network, no server, or one that wants to be left alone. */
  | { readonly kind: "unanswered"; readonly error: BerthError };

/** Asks GitHub's REST API. Disposing of it closes its connections. */
export type GitHubClient = AsyncDisposable & {
  readonly apiUrl: string;
  readonly hasToken: boolean;
  readonly ifNotFound: string;
  /**
   * Gets what lies at a path.
   *
   * @throws {BerthError} `ACTION_FETCH_FAILED` when the server refuses, or what it sent is refused here.
   */
  get<T>(path: string, options: GetOptions<T>): Promise<GitHubAnswer<T>>;
};

const OTHER_PLACES =
  "If it lies on another GitHub server, name that with --github-url; a folder can stand in for it with --local-action.";
const ATTEMPTS = 3;
const MAX_REDIRECTS = 5;
const BACKOFF_MS = 1000;
const SILENCE_MS = 30_000;
const MAX_WAIT_MS = 60_000;

export function createGitHubClient(options: GitHubClientOptions): GitHubClient {
  const { env, backoffMs = BACKOFF_MS, silenceMs = SILENCE_MS, maxWaitMs = MAX_WAIT_MS } = options;
  const token = options.token?.trim() ?? "";
  const apiUrl = options.apiUrl.replace(/\/+$/, "");
  let agent: Promise<Dispatcher> | undefined;

  async function get<T>(path: string, getting: GetOptions<T>): Promise<GitHubAnswer<T>> {
    const { progress, signal } = getting;
    checkToken(token);
    agent ??= createAgent({ env, silenceMs });
    const asking: Asking<T> = { ...getting, token, agent: await agent };
    for (let attempt = 1; ; attempt += 1) {
      signal.throwIfAborted();
      const outcome = await tryOnce(new URL(apiUrl + path), asking);
      if (outcome.kind !== "unanswered") return outcome;
      const { error, waitMs = backoffMs * 2 ** (attempt - 1) * (1 + Math.random()) } = outcome;
      if (attempt >= ATTEMPTS || waitMs > maxWaitMs) return { kind: "unanswered", error };
      progress(`##[warning]${error.message} Trying again in ${Math.ceil(waitMs / 1000)} s.`);
      await sleep(waitMs, undefined, { signal });
    }
  }

  return {
    apiUrl,
    hasToken: token !== "",
    ifNotFound: options.ifNotFound ?? OTHER_PLACES,
    get,
    async [Symbol.asyncDispose]() {
      await (await agent)?.destroy();
    },
  };
}

type Asking<T> = GetOptions<T> & { readonly token: string; readonly agent: Dispatcher };

type Outcome<T> = GitHubAnswer<T> & { readonly waitMs?: number };

async function tryOnce<T>(url: URL, asking: Asking<T>): Promise<Outcome<T>> {
  const { signal, what } = asking;
  let at = url;
  try {
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
      const answer = await ask(at, { asking, isHome: at.origin === url.origin });
      const next = redirectOf(answer, at);
      if (next === undefined) return await take(answer, { at, asking });
      await answer.body.dump();
      at = next;
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof BerthError) throw error;
    return { kind: "unanswered", error: describeFailure(error, { what, url: at }) };
  }
  throw new BerthError("ACTION_FETCH_FAILED", {
    message: `${what}: ${bareUrl(url)} sends from one address to the next without end.`,
    remedy: "Check --github-url and --api-url.",
  });
}

/** The token is for the server that it was given for, wherever that sends us. */
async function ask<T>(
  url: URL,
  { asking, isHome }: { asking: Asking<T>; isHome: boolean },
): Promise<Dispatcher.ResponseData> {
  const { token, accept, agent, signal } = asking;
  const { default: undici } = await import("undici");
  const authorization = token !== "" && isHome ? { authorization: `Bearer ${token}` } : {};
  const headers = { accept, "user-agent": "berth-runner", ...authorization };
  return undici.request(url, { headers, dispatcher: agent, signal });
}

function redirectOf({ statusCode, headers }: Dispatcher.ResponseData, from: URL): URL | undefined {
  const { location } = headers;
  if (![301, 302, 303, 307, 308].includes(statusCode) || typeof location !== "string") return;
  const to = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;
  const isSafe =
    to?.protocol === "https:" || (to?.protocol === "http:" && from.protocol === "http:");
  if (to !== undefined && isSafe) return to;
  throw new BerthError("ACTION_FETCH_FAILED", {
    message: `${bareUrl(from)} sends on to ${to === undefined ? "no address" : bareUrl(to)}, which is not safe to follow.`,
    remedy: "Check --github-url and --api-url, and the proxy in between.",
  });
}

async function take<T>(
  answer: Dispatcher.ResponseData,
  { at, asking }: { at: URL; asking: Asking<T> },
): Promise<Outcome<T>> {
  const { statusCode, headers, body } = answer;
  const { what, token } = asking;
  if (statusCode === 200) {
    const value = await asking.read(body, String(headers["content-type"] ?? ""));
    return { kind: "done", value };
  }
  const said = hide(token, await readStart(body));
  // An empty repository conflicts with every question about its commits; 422 is a ref that is not there.
  if ([404, 409, 422].includes(statusCode)) return { kind: "missing" };
  const limit = limitOf({ statusCode, headers, said }, Date.now());
  const hasToken = token !== "";
  const error = describeAnswer({ statusCode, headers, said, limit, hasToken, what, url: at });
  if (limit !== undefined) return { kind: "unanswered", error, waitMs: limit.waitMs };
  if (statusCode === 408 || statusCode >= 500) return { kind: "unanswered", error };
  throw error;
}

/** An answer may repeat what it was asked with. */
function hide(token: string, text: string): string {
  return token === "" ? text : text.replaceAll(token, "***");
}

/** @throws {BerthError} `INPUT_INVALID`, without the token. */
function checkToken(token: string): void {
  if (/^[\x21-\x7e]*$/.test(token)) return;
  throw new BerthError("INPUT_INVALID", {
    message: "The token for GitHub holds blanks, line ends or other characters that no token has.",
    remedy: "Check --token, --secret GITHUB_TOKEN and GITHUB_TOKEN of the environment.",
  });
}
