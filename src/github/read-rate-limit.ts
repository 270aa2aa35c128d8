import type { Api } from "./ask-github.ts";
import type { Installation } from "./installation.ts";

type Limit = NonNullable<ReturnType<Installation["rateLimit"]>>;
type Headers = { readonly [name: string]: string | number | undefined };

/** Listens to what every answer says of the hourly limit. */
export function readRateLimit({ octokit }: Api): Installation["rateLimit"] {
  let last: Limit | undefined;
  octokit.hook.after("request", ({ headers }) => {
    last = limitIn(headers) ?? last;
  });
  octokit.hook.error("request", (error) => {
    if ("response" in error) last = limitIn(error.response?.headers ?? {}) ?? last;
    throw error;
  });
  return () => last;
}

/** Of searches and the like there are limits of their own. */
function limitIn(headers: Headers): Limit | undefined {
  if ((headers["x-ratelimit-resource"] ?? "core") !== "core") return undefined;
  const [remaining, limit, reset] = ["remaining", "limit", "reset"].map((name) =>
    Number(headers[`x-ratelimit-${name}`] ?? Number.NaN),
  ) as [number, number, number];
  const isWhole = [remaining, limit, reset].every(Number.isFinite);
  return isWhole ? { remaining, limit, resetAtMs: reset * 1000 } : undefined;
}
