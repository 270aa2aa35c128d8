import { beforeAll, expect, it } from "@jest/globals";
import { type ExecuteJobDeps, executeJob, type JobResult } from "../../runner/job/execute-job.ts";
import type { JobDescription } from "../../runner/job/job-description.ts";
import { containerPlaces } from "../../src/container-places.ts";
import { findLeftovers, jobImage, testEngine } from "../engine.ts";
import { aJob, mapping, type StepFixture } from "../runner/job/job-fixture.ts";

const never = new AbortController().signal;
let image: string;
let openPlace: ExecuteJobDeps["openPlace"];

beforeAll(async () => {
  image = await jobImage();
  openPlace = containerPlaces({
    engine: await testEngine(),
    hostName: "here",
    imageFor: () => image,
    onLeak: (leak) => console.error("left behind", leak),
  });
}, 120_000);

it("says that a step ran out of memory, and of a job that went on what it took", async () => {
  const eat = { run: "tail /dev/zero" };
  const [failed, forgiven] = await Promise.all([
    finish(small([eat])),
    finish(small([{ ...eat, continueOnError: true }, { run: "exit 0" }])),
  ]);

  expect(failed).toMatchObject({ conclusion: "failure", death: "out-of-memory" });
  expect(forgiven).toEqual({
    conclusion: "success",
    outputs: {},
    usage: { peakMemoryBytes: expect.any(Number), cpuSeconds: expect.any(Number) },
  });
  // It had eaten all there was.
  expect(forgiven.usage?.peakMemoryBytes).toBeGreaterThan(32 << 20);
  expect(forgiven.usage?.peakMemoryBytes).toBeLessThanOrEqual(64 << 20);
}, 60_000);

it("says that the container ran out of memory as a whole, or was removed", async () => {
  const kill = "for p in /proc/[0-9]*; do echo 1000 >$p/oom_score_adj; done; echo -1 >/dev/null";
  const [whole, removed] = await Promise.all([
    finish(
      small([{ run: `${kill}; echo 1000 > /proc/1/oom_score_adj; tail /dev/zero; sleep 60` }]),
    ),
    finish(aJob([{ run: "echo begun; sleep 60" }]), { removeAt: "begun" }),
  ]);

  expect(whole).toMatchObject({ conclusion: "failure", death: "out-of-memory" });
  expect(removed).toMatchObject({ conclusion: "failure", death: "container-lost" });
}, 60_000);

it("ends a container when its time is up, with nobody who watches it", async () => {
  const { id, runId } = aJob([]);
  const request = { jobId: id, runId, repository: "hello", labels: [], timeLimitSeconds: 1 };
  const options = { journal: undefined, progress() {}, placed() {}, signal: never };
  const place = await openPlace(request, options);
  try {
    const asleep = { argv: ["sh", "-c", "sudo sleep 60"], cwd: "/", env: {} };
    const running = place.shell.run(asleep, { onOutput() {} });

    await expect(running).rejects.toMatchObject({ code: "SHELL_LOST" });
    expect(await place.explainEnd?.()).toMatchObject({ death: "container-lost" });
  } finally {
    await place[Symbol.asyncDispose]();
  }
  expect(await findLeftovers(id)).toEqual([]);
}, 60_000);

/** A job in a container with 64 MB, as root. */
function small(steps: readonly StepFixture[]): JobDescription {
  const options = "--memory 64m --memory-swap 64m --user 0";
  return aJob(steps, { container: mapping({ image, options }) });
}

async function finish(
  job: JobDescription,
  { removeAt }: { readonly removeAt?: string } = {},
): Promise<JobResult> {
  let containerId = "";
  const { docker } = await testEngine();
  const result = await executeJob(
    job,
    {
      async openPlace(request, options) {
        const place = await openPlace(request, options);
        containerId = place.containerId ?? "";
        return place;
      },
      report(event) {
        if (event.type !== "log" || event.line !== removeAt) return;
        void docker.getContainer(containerId).remove({ force: true, v: true });
      },
    },
    never,
  );
  expect(await findLeftovers(job.id)).toEqual([]);
  return result;
}
