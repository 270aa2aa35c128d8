import { randomBytes } from "node:crypto";
import { executeJob } from "../../runner/job/execute-job.ts";
import type { JobDescription } from "../../runner/job/job-description.ts";
import { containerPlaces } from "../../src/container-places.ts";
import type { Engine } from "../../src/containers/connect-engine.ts";

/** Seconds that a job's one step takes whose log goes, masked and split into events, to a sink that only counts. */
export async function pipelineSeconds(
  engine: Engine,
  image: string,
  { script, secrets }: { script: string; secrets: { [name: string]: string } },
): Promise<number> {
  let lines = 0;
  let ms = 0;
  const openPlace = containerPlaces({
    engine,
    hostName: "bench",
    imageFor: () => image,
    onLeak: ({ kind, id }) => console.error(`left behind: ${kind} ${id}`),
  });
  await executeJob(
    jobOf(script, secrets),
    {
      openPlace,
      report(event) {
        if (event.type === "log") lines++;
        if (event.type === "step_finished" && event.step === 2) ms = event.ms;
      },
    },
    new AbortController().signal,
  );
  if (lines === 0) throw new Error("The step printed nothing.");
  return ms / 1000;
}

function jobOf(script: string, secrets: { [name: string]: string }): JobDescription {
  const id = `bench-${randomBytes(4).toString("hex")}`;
  return {
    id,
    runId: id,
    job: "bench",
    name: "bench",
    labels: ["ubuntu-latest"],
    contexts: {
      github: { repository: "local/bench", event: {} },
      needs: {},
      strategy: {},
      matrix: null,
      inputs: null,
      vars: {},
    },
    secrets,
    env: [],
    defaults: {},
    steps: [{ kind: "run", id: "__run", if: "success()", run: script }],
    timeoutMinutes: 10,
    workflowFile: "bench.yml",
  };
}
