import { Writable } from "node:stream";
import { expect, it } from "@jest/globals";
import { JobKeeper } from "../../../src/fleet/job-keeper.ts";
import { type AdmittedJob, type RunJobDeps, runJob } from "../../../src/fleet/run-job.ts";
import { createLog } from "../../../src/log.ts";
import { openJobJournal } from "../../../src/store/job-journal.ts";
import { openStore } from "../../../src/store/open-store.ts";
import type { JobRecord } from "../../../src/store/records.ts";
import { aJob, temporaryFolder } from "../store/records.ts";

const JOB = { retries: 0, need: {} } as AdmittedJob;

/** A job of an earlier life that has no lease any more, and is cancelled by now. */
async function runCancelled(folder: string, record: JobRecord) {
  await using store = await openStore(folder);
  const told: string[] = [];
  const deps = {
    place: () => Promise.reject(new Error("It was cancelled before its turn.")),
    openJournal: () => openJobJournal(`${folder}/journal`),
    report: {
      waiting() {},
      hear() {},
      restart() {},
      async recall(events) {
        for await (const { type } of events) told.push(type);
      },
    },
    log: createLog({ level: "error", format: "json", out: new Writable(), mask: String }),
  } as Partial<RunJobDeps> as RunJobDeps;
  const signal = AbortSignal.abort("Cancelled by ann.");
  return { result: await runJob(JOB, new JobKeeper(record, store), deps, signal), told };
}

it("keeps the end of a job whose service died before it had noted that, though it is cancelled since", async () => {
  using folder = temporaryFolder();
  const record = aJob("7-1.test", { state: "running", host: "one" });
  {
    await using journal = await openJobJournal(`${folder.path}/journal`);
    const end = { conclusion: "success", outputs: { word: "done" }, ms: 5 } as const;
    journal.record({ type: "job_finished", job: "test", name: "test", ...end });
  }

  const { result, told } = await runCancelled(folder.path, record);

  expect(result).toEqual({ conclusion: "success", outputs: { word: "done" } });
  expect(told).toEqual(["job_finished"]);
});

it("cancels a job that never got a place", async () => {
  using folder = temporaryFolder();

  const { result } = await runCancelled(folder.path, aJob("7-1.test"));

  expect(result).toEqual({ conclusion: "cancelled", outputs: {}, reason: "Cancelled by ann." });
});
