import { z } from "zod";
import { BerthError } from "../../runner/errors.ts";
import type { Log } from "../log.ts";
import { type Api, ofRepository } from "./ask-github.ts";
import type { Installation } from "./installation.ts";
import { tokenPermissions } from "./token-permissions.ts";

type Grants = { readonly [name: string]: string };

export type JobTokenDeps = {
  readonly app: Api;
  readonly installationId: number;
  /** GitHub's API as whoever has this token. */
  withToken(token: string): Api;
  readonly log: Log;
};

const NewToken = z.object({
  token: z.string(),
  expires_at: z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)),
});
const Granted = z.object({ permissions: z.record(z.string(), z.string()) });
/** How long what an installation may do is taken as known. */
const GRANTED_MS = 5 * 60_000;

/** Makes tokens for jobs: for one repository, with the permissions that its workflow names. */
export function createJobTokens(deps: JobTokenDeps): Installation["jobToken"] {
  const readGranted = rememberGranted(deps);

  async function make(repository: string, wanted: Grants | undefined, isFresh: boolean) {
    const { permissions, missing } = tokenPermissions(wanted, await readGranted(isFresh));
    const made = await deps.app.ask("POST /app/installations/{installation_id}/access_tokens", {
      what: `Making a token for a job of ${repository}`,
      parameters: {
        ...{ installation_id: deps.installationId, permissions },
        repositories: [ofRepository(repository).repo],
      },
      answer: NewToken,
    });
    return { ...made, missing };
  }

  async function makeWhatIsGranted(repository: string, wanted: Grants | undefined) {
    try {
      return await make(repository, wanted, false);
    } catch (error) {
      if (!(error instanceof BerthError) || error.code !== "GITHUB_REFUSED") throw error;
      return await make(repository, wanted, true); // a permission may have been taken away since
    }
  }

  return async (repository, wanted) => {
    const { token, missing, expires_at: expiresAtMs } = await makeWhatIsGranted(repository, wanted);
    return { token, expiresAtMs, missing, revoke: () => revokeToken(token, deps) };
  };
}

function rememberGranted({ app, installationId }: JobTokenDeps) {
  let known: { readonly granted: Grants; readonly untilMs: number } | undefined;
  return async (isFresh: boolean): Promise<Grants> => {
    if (!isFresh && known !== undefined && known.untilMs > Date.now()) return known.granted;
    const { permissions } = await app.ask("GET /app/installations/{installation_id}", {
      what: `Reading what installation ${installationId} may do`,
      parameters: { installation_id: installationId },
      answer: Granted,
    });
    known = { granted: permissions, untilMs: Date.now() + GRANTED_MS };
    return permissions;
  };
}

/** Never throws: one that cannot be revoked ends by itself. */
export async function revokeToken(
  token: string,
  { withToken, log }: Pick<JobTokenDeps, "withToken" | "log">,
): Promise<void> {
  try {
    const what = "Revoking a job's token";
    await withToken(token).ask("DELETE /installation/token", { what, answer: z.unknown() });
  } catch (error) {
    log.debug({ err: error }, "a job's token could not be revoked and ends by itself");
  }
}
