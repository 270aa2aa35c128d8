import type { Installation, JobToken } from "../github/installation.ts";
import type { Log } from "../log.ts";
import type { JobTokens } from "./run-job.ts";

/** A step may take its time before it uses what it was given. */
const RENEW_BEFORE_MS = 15 * 60_000;

/** The installation's tokens for one job: one at a time, renewed in good time, revoked when another takes its place and at the end. */
export function openJobTokens(
  installation: Pick<Installation, "jobToken">,
  {
    repository,
    permissions,
    log,
    now = Date.now,
  }: {
    readonly repository: string;
    readonly permissions: { readonly [scope: string]: string } | undefined;
    readonly log: Log;
    now?: () => number;
  },
): JobTokens {
  let current: JobToken | undefined;
  const outdated: JobToken[] = [];

  return {
    async fresh() {
      if (current !== undefined && current.expiresAtMs - now() > RENEW_BEFORE_MS)
        return current.token;
      try {
        const next = await installation.jobToken(repository, permissions);
        // A process of an earlier step may still use the one before; it goes with the job.
        if (current !== undefined) outdated.push(current);
        current = next;
        return next.token;
      } catch (error) {
        if (current === undefined || current.expiresAtMs <= now()) throw error;
        log.warn({ repository, error }, "token is not renewed, the old one is used");
        return current.token;
      }
    },
    async [Symbol.asyncDispose]() {
      const all = current === undefined ? outdated : [...outdated, current];
      await Promise.all(
        all.filter(({ expiresAtMs }) => expiresAtMs > now()).map((one) => one.revoke()),
      );
    },
  };
}
