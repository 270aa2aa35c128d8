import type { JobDescription } from "../job/job-description.ts";
import type { RunningJob } from "../job/running-job.ts";
import { initializeContainers, stopContainers } from "../job/services.ts";
import { imagesOf } from "./images-of.ts";
import { preConditionOf } from "./pre-stage.ts";
import { provideImage } from "./provide-image.ts";
import { runJobStage } from "./run-job-stage.ts";
import { runSideStage, runStep } from "./run-step.ts";
import { type ActionInstance, jobScope, type StepScope } from "./step-scope.ts";

/**
 * Everything between "Set up job" and "Complete job", in GitHub's order: images of docker actions, services, pre stages; the steps;
 * post stages, the last registered first; the end of the services.
 */
export async function runAllSteps(
  steps: JobDescription["steps"],
  running: RunningJob,
): Promise<void> {
  const scope = jobScope(running);
  for (const { title, source } of imagesOf(steps, running)) {
    await runJobStage({ stepName: title, condition: "success()" }, running, async (self) => {
      await provideImage(source, running, self);
    });
  }
  const hasServices = running.services.length > 0;
  if (hasServices) await startServices(running);
  for (const step of steps) {
    const condition = step.kind === "uses" ? preConditionOf(step, running) : undefined;
    if (step.kind === "uses" && condition !== undefined)
      await runSideStage(step, "pre", condition, scope);
  }

  for (const step of steps) await runStep(step, scope);

  for (const instance of scope.instances.posts) await runPost(instance, scope);
  if (hasServices) {
    await runJobStage({ stepName: "Stop containers", condition: "always()" }, running, (self) =>
      stopContainers(running, { log: self.log, signal: self.stop.signal }),
    );
  }
}

async function startServices(running: RunningJob): Promise<void> {
  const step = { stepName: "Initialize containers", condition: "success()" };
  await runJobStage(step, running, async ({ log, stop }) => {
    const started = { log, signal: stop.signal };
    running.state.services = await initializeContainers(running.services, running, started);
  });
}

async function runPost({ step, loaded }: ActionInstance, scope: StepScope): Promise<void> {
  if (loaded === undefined) return;
  const { runs } = loaded.manifest;
  const condition = runs.using === "composite" ? "always()" : runs.postIf;
  await runSideStage(step, "post", condition, scope);
}
