import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { BerthError } from "../../runner/errors.ts";
import { type Api, ofRepository } from "./ask-github.ts";
import { ANNOTATIONS_A_REQUEST, checkRequest } from "./check-request.ts";
import type { CheckAnnotation, CheckRunState, Installation } from "./installation.ts";

type CheckRuns = Pick<Installation, "createCheckRun" | "updateCheckRun" | "countAnnotations">;

export type CheckRunOptions = {
  readonly appId: number;
  readonly maxAttempts: number;
  /** How long a second of waiting takes, in milliseconds. */
  readonly secondMs: number;
};

const CheckRun = z.object({
  id: z.number(),
  external_id: z.string().nullish(),
  output: z.object({ annotations_count: z.number() }),
});

/**
 * Check runs. What GitHub would do twice when asked twice, making one and adding annotations, is asked once; after a failure we look what came of it before we ask
 * again.
 */
export function createCheckRuns(api: Api, options: CheckRunOptions): CheckRuns {
  async function find(
    repository: string,
    { name, headSha, externalId }: Parameters<Installation["createCheckRun"]>[1],
  ): Promise<number | undefined> {
    const runs = await api.list("GET /repos/{owner}/{repo}/commits/{ref}/check-runs", {
      what: `Looking for the check run "${name}" in ${repository}`,
      parameters: {
        ...ofRepository(repository),
        ...{ ref: headSha, check_name: name, app_id: options.appId, filter: "all" },
      },
      answer: CheckRun,
    });
    return runs.find((run) => run.external_id === externalId)?.id;
  }

  function update(
    repository: string,
    id: number,
    state: CheckRunState,
    annotations: readonly CheckAnnotation[],
  ): Promise<unknown> {
    return api.ask("PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}", {
      what: `Updating check run ${id} in ${repository}`,
      parameters: {
        ...ofRepository(repository),
        ...{ check_run_id: id, ...checkRequest(state, annotations) },
      },
      answer: CheckRun,
      isOnce: annotations.length > 0,
    });
  }

  async function count(repository: string, id: number): Promise<number> {
    const run = await api.ask("GET /repos/{owner}/{repo}/check-runs/{check_run_id}", {
      what: `Reading check run ${id} in ${repository}`,
      parameters: { ...ofRepository(repository), check_run_id: id },
      answer: CheckRun,
    });
    return run.output.annotations_count;
  }

  return {
    countAnnotations: count,

    async createCheckRun(repository, check, state) {
      const { name, headSha, externalId, detailsUrl } = check;
      const earlier = await find(repository, check);
      if (earlier !== undefined) {
        await update(repository, earlier, state, []);
        return earlier;
      }
      const create = () =>
        api.ask("POST /repos/{owner}/{repo}/check-runs", {
          what: `Creating the check run "${name}" in ${repository}`,
          parameters: {
            ...ofRepository(repository),
            ...{ name, head_sha: headSha, external_id: externalId },
            ...(detailsUrl !== undefined && { details_url: detailsUrl }),
            ...checkRequest(state),
          },
          answer: CheckRun.transform((run) => run.id),
          isOnce: true,
        });
      return doOnce(create, () => find(repository, check), options);
    },

    async updateCheckRun(repository, id, state, annotations) {
      if (annotations.length === 0) {
        await update(repository, id, state, []);
        return;
      }
      let known = await count(repository, id);
      for (let from = 0; from < annotations.length; from += ANNOTATIONS_A_REQUEST) {
        const batch = annotations.slice(from, from + ANNOTATIONS_A_REQUEST);
        const wanted = known + batch.length;
        const isThere = async () => ((await count(repository, id)) >= wanted ? true : undefined);
        await doOnce(() => update(repository, id, state, batch), isThere, options);
        known = wanted;
      }
    },
  };
}

/** Does it; after a failure that may have come too late to undo it, looks for what came of it, and does it again where nothing did. */
async function doOnce<T>(
  act: () => Promise<T>,
  lookForIt: () => Promise<T | undefined>,
  { maxAttempts, secondMs }: CheckRunOptions,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof BerthError) || error.code !== "GITHUB_UNREACHABLE") throw error;
      await sleep(attempt ** 2 * secondMs);
      const found = await lookForIt();
      if (found !== undefined) return found;
      if (attempt >= maxAttempts) throw error;
    }
  }
}
