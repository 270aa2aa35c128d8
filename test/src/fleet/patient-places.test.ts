import { expect, it } from "@jest/globals";
import { BerthError } from "../../../runner/errors.ts";
import type { ExecuteJobDeps, JobPlace } from "../../../runner/job/execute-job.ts";
import { deathOf } from "../../../runner/job/job-death.ts";
import type { Checkpoint } from "../../../runner/shell/shell.ts";
import { patientPlaces } from "../../../src/fleet/patient-places.ts";

const never = new AbortController().signal;
const PLACE = { host: "a" } as JobPlace;
const request = { jobId: "job", runId: "run", repository: "repo", labels: [] };
const unreachable = () => new BerthError("HOST_UNREACHABLE", { message: "No route to a." });
const done = { number: 1 } as Checkpoint;

/** A host that is there for the attempts that say so. */
function aHost(attempts: (true | Error)[]) {
  const calls: string[] = [];
  const told: (string | undefined)[] = [];
  const answers: PromiseWithResolvers<void>[] = [];
  return {
    ...{ calls, told },
    /** Resolves once somebody waits for it. */
    async answer() {
      while (answers.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      answers.shift()?.resolve();
    },
    open({
      checkpoints = [],
      startedAt = Date.now(),
      signal = never,
      cancelled = never,
      patienceMs = 60_000,
    }: {
      checkpoints?: Checkpoint[];
      startedAt?: number;
      signal?: AbortSignal;
      cancelled?: AbortSignal;
      patienceMs?: number;
    } = {}) {
      const openPlace: ExecuteJobDeps["openPlace"] = async () => {
        calls.push("open");
        const result = attempts.shift() ?? true;
        if (result === true) return PLACE;
        throw result;
      };
      const places = patientPlaces(openPlace, {
        host: { name: "a" },
        async answers(_name, { onProblem, signal: until }) {
          onProblem("It is off.");
          const answer = Promise.withResolvers<void>();
          until.addEventListener("abort", () => answer.reject(until.reason), { once: true });
          answers.push(answer);
          await answer.promise;
        },
        async clear() {
          calls.push("clear");
          return true;
        },
        ...{ cancelled, patienceMs, onWait: (why) => void told.push(why) },
      });
      const journal = { startedAt, checkpoints, append: async () => {} };
      return places(
        { ...request, timeLimitSeconds: 60 },
        { journal, progress() {}, placed() {}, signal },
      );
    },
  };
}

it("comes back to a job that runs, however often its host does not answer", async () => {
  const host = aHost([unreachable(), new BerthError("HOST_UNUSABLE", { message: "No engine." })]);
  const opening = host.open({ checkpoints: [done] });
  await host.answer();
  await host.answer();

  expect(await opening).toBe(PLACE);
  expect(host.calls).toEqual(["open", "open", "open"]);
  expect(host.told.slice(0, 2)).toEqual([
    "It waits for the host a to answer: No route to a.",
    "It waits for the host a to answer: It is off.",
  ]);
  expect(host.told.at(-1)).toBeUndefined();
});

it("removes what was made of a job that has not begun, and makes it once more, but not twice", async () => {
  const host = aHost([unreachable(), unreachable()]);
  const opening = host.open();
  await host.answer();

  await expect(opening).rejects.toMatchObject({
    code: "ENGINE_LOST",
    message: "The host a was lost: No route to a.",
  });
  expect(host.calls).toEqual(["open", "clear", "open"]);
});

it("ends with the cause when the host does not answer in time", async () => {
  const late = await aHost([unreachable()])
    .open({ patienceMs: 150 })
    .catch((error: unknown) => error);
  const ended = await aHost([unreachable()])
    .open({ checkpoints: [done], startedAt: Date.now() - 60_000 })
    .catch((error: unknown) => error);

  expect(late).toMatchObject({ message: "The host a was lost: It is off." });
  expect([deathOf(late), deathOf(ended)]).toEqual(["host-lost", "host-lost"]);
});

it("waits no longer once the job is cancelled", async () => {
  const cancel = new AbortController();
  const host = aHost([unreachable()]);
  const opening = host.open({ checkpoints: [done], cancelled: cancel.signal });
  cancel.abort("Cancelled by anna.");

  await expect(opening).rejects.toBe("Cancelled by anna.");
});

it("does not wait where the job itself is what is wrong", async () => {
  const host = aHost([new BerthError("IMAGE_NOT_FOUND", { message: "No such image." })]);

  await expect(host.open()).rejects.toMatchObject({ code: "IMAGE_NOT_FOUND" });
  expect(host.told).toEqual([undefined]);
});
