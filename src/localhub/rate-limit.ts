import type { Json } from "../../runner/expressions/template.ts";
import type { Credential, Hub, RateLimit } from "./hub.ts";
import { Refusal } from "./refusal.ts";

const WINDOW_MS = 60 * 60_000;
const ANONYMOUS_LIMIT = 60;

/** The limit that a request counts against: one for each installation, user, and for all without a token. */
export function limitOf(hub: Hub, credential: Credential): RateLimit {
  const key = keyOf(credential);
  const known = hub.rateLimits.get(key);
  if (known && known.resetAtMs > hub.now().getTime()) return known;
  const limit = credential.kind === "anonymous" ? ANONYMOUS_LIMIT : hub.rateLimit;
  const fresh = {
    limit: known?.limit ?? limit,
    used: 0,
    resetAtMs: hub.now().getTime() + WINDOW_MS,
  };
  hub.rateLimits.set(key, fresh);
  return fresh;
}

/** @throws {Refusal} 403 when nothing remains. */
export function spend(limit: RateLimit, credential: Credential): void {
  if (limit.used >= limit.limit) {
    throw new Refusal(403, `API rate limit exceeded for ${nameOf(credential)}.`);
  }
  limit.used += 1;
}

export function limitHeaders(limit: RateLimit): { [name: string]: string } {
  const { used, remaining, reset } = showLimit(limit);
  return {
    "X-RateLimit-Limit": String(limit.limit),
    "X-RateLimit-Remaining": String(remaining),
    "X-RateLimit-Reset": String(reset),
    "X-RateLimit-Used": String(used),
    "X-RateLimit-Resource": "core",
  };
}

export function showLimit({ limit, used, resetAtMs }: RateLimit): {
  limit: number;
  used: number;
  remaining: number;
  reset: number;
} {
  return {
    ...{ limit, used, remaining: Math.max(0, limit - used) },
    reset: Math.ceil(resetAtMs / 1000),
  };
}

export function limitsPayload(limit: RateLimit): Json {
  const core = showLimit(limit);
  return { resources: { core }, rate: core };
}

function keyOf(credential: Credential): string {
  switch (credential.kind) {
    case "installation":
      return `installation ${credential.installation.id}`;
    case "user":
      return `user ${credential.account.id}`;
    case "app":
    case "anonymous":
      return credential.kind;
    default:
      return credential satisfies never;
  }
}

function nameOf(credential: Credential): string {
  switch (credential.kind) {
    case "installation":
      return `installation ID ${credential.installation.id}`;
    case "user":
      return `user ID ${credential.account.id}`;
    case "app":
      return "the App";
    case "anonymous":
      return "127.0.0.1";
    default:
      return credential satisfies never;
  }
}
