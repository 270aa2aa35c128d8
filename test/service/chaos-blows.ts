import { existsSync } from "node:fs";
import { join } from "node:path";
import { JOB_LABEL } from "../../src/containers/labels.ts";
import { testEngine } from "../engine.ts";
import type { Blow, ChaosJob, ChaosRun } from "./chaos-runs.ts";
import type { TestService } from "./service-on-localhub.ts";

/** A run that has been pushed. */
export type PushedRun = ChaosRun & { readonly headSha: string };

export type Blows = {
  /** Does what is due and can be done now. */
  strike(runs: readonly PushedRun[]): Promise<void>;
  /** How many were done. */
  readonly done: number;
};

/** Cancels jobs and removes containers, each once its job's first step has begun. */
export function chaosBlows(service: TestService, effectsFolder: string): Blows {
  const struck = new Set<ChaosJob>();

  async function strikeOne(run: PushedRun, job: ChaosJob, blow: Blow): Promise<boolean> {
    const githubRun = service.hub.runs().find(({ headSha }) => headSha === run.headSha);
    if (githubRun === undefined) return false;
    const id = `${githubRun.id}-1.${job.name}`;
    switch (blow) {
      case "cancel-run":
        service.hub.cancelRun(githubRun.id);
        return true;
      case "cancel-job":
        return (await service.berth("jobs", "cancel", id)).code === 0;
      case "press-cancel":
        return pressCancel(service, run, job);
      case "remove-container":
        return await removeContainer(id);
      default:
        return blow satisfies never;
    }
  }

  return {
    get done() {
      return struck.size;
    },
    async strike(runs) {
      for (const run of runs) {
        for (const job of run.jobs) {
          const { blow, effects = "" } = job;
          if (blow === undefined || struck.has(job)) continue;
          if (!existsSync(join(effectsFolder, effects))) continue;
          if (await strikeOne(run, job, blow)) struck.add(job);
        }
      }
    },
  };
}

/** The button is there once the check is. */
function pressCancel({ hub }: TestService, run: PushedRun, job: ChaosJob): boolean {
  const check = hub
    .checkRuns()
    .find(({ headSha, name }) => headSha === run.headSha && name === `Berth / ${job.name}`);
  if (check === undefined || !check.actions.some(({ identifier }) => identifier === "cancel")) {
    return false;
  }
  hub.pressCheckRunAction(check.id, "cancel");
  return true;
}

async function removeContainer(jobId: string): Promise<boolean> {
  const { docker } = await testEngine();
  const filters = { label: [`${JOB_LABEL}=${jobId}`, "io.berth.kind=job"] };
  const [found] = await docker.listContainers({ filters });
  if (found === undefined) return false;
  await docker.getContainer(found.Id).remove({ force: true, v: true });
  return true;
}
