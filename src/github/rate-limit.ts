import type { IncomingHttpHeaders } from "node:http";

export type Answer = {
  readonly statusCode: number;
  readonly headers: IncomingHttpHeaders;
  /** The message in the answer's body, or the body's start. */
  readonly said: string;
};

/** How long GitHub wants to be left alone, in milliseconds. */
export type Limit = { readonly waitMs: number };

/** Where nothing says how long, GitHub wants a minute. */
const UNSAID_MS = 60_000;

/**
 * Whether an answer says that we asked too often, and how long to wait: `retry-after` in seconds, or `x-ratelimit-reset` once
 * `x-ratelimit-remaining` is 0, as GitHub's page on rate limits has it. A 503 may carry `retry-after` too.
 */
export function limitOf({ statusCode, headers, said }: Answer, nowMs: number): Limit | undefined {
  const isRefusal = statusCode === 403 || statusCode === 429;
  if (!isRefusal && statusCode !== 503) return undefined;
  const after = headers["retry-after"];
  if (after !== undefined) return { waitMs: waitOf(after, nowMs) };
  if (!isRefusal) return undefined;
  if (headers["x-ratelimit-remaining"] === "0") {
    const resetMs = Number(headers["x-ratelimit-reset"]) * 1000;
    return { waitMs: Number.isFinite(resetMs) ? Math.max(0, resetMs - nowMs) : UNSAID_MS };
  }
  return statusCode === 429 || /rate limit/i.test(said) ? { waitMs: UNSAID_MS } : undefined;
}

/** `retry-after` is a number of seconds or a date. */
function waitOf(after: string, nowMs: number): number {
  if (/^\d+$/.test(after.trim())) return Number(after) * 1000;
  const at = Date.parse(after);
  return Number.isNaN(at) ? UNSAID_MS : Math.max(0, at - nowMs);
}
