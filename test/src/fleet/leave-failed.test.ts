import { expect, it } from "@jest/globals";
import type { JobEvent } from "../../../runner/job/job-event.ts";
import type { HostPlaces } from "../../../src/fleet/host-places.ts";
import { JobKeeper } from "../../../src/fleet/job-keeper.ts";
import { keepLeft, leaveFailed } from "../../../src/fleet/leave-failed.ts";
import { aJob } from "../store/records.ts";

const store = {} as ConstructorParameters<typeof JobKeeper>[1];
const NO_LEASE = { keepLost: async () => {} };
const terms = { ms: 1_500, keys: [] };
const { signal } = new AbortController();

type End = Pick<JobEvent & { type: "job_finished" }, "conclusion" | "death">;
const ended = (end: End): JobEvent => ({
  ...{ type: "job_finished", job: "a", name: "a", outputs: {}, ms: 1 },
  ...end,
});

it("leaves the container of a job that failed of its steps", () => {
  const place = leaveFailed(terms, signal);

  place.hear(ended({ conclusion: "failure" }));

  expect(place.keep?.isWanted()).toBe(true);
  expect(place.isLeft()).toBe(true);
  expect(place.keep?.seconds).toBe(2);
});

it.each([
  ["succeeded", { conclusion: "success" }],
  ["was cancelled, or took too long", { conclusion: "cancelled", death: "deadline" }],
  ["died of its host", { conclusion: "failure", death: "out-of-memory" }],
] as const)("leaves none of a job that %s", (_, end) => {
  const place = leaveFailed(terms, signal);

  place.hear(ended(end));

  expect(place.keep?.isWanted()).toBe(false);
  expect(place.isLeft()).toBe(false);
});

it("leaves none when the job is cancelled at its end, when it has no end, or nobody wants it", () => {
  const cancelled = leaveFailed(terms, AbortSignal.abort());
  cancelled.hear(ended({ conclusion: "failure" }));

  expect(cancelled.keep?.isWanted()).toBe(false);
  expect(leaveFailed(terms, signal).keep?.isWanted()).toBe(false);
  expect(leaveFailed(undefined, signal).keep).toBeUndefined();
});

it.each([
  ["it cannot be kept", { keeps: false, isDead: false }, true],
  ["its host failed it after all", { keeps: true, isDead: true }, true],
  ["it is kept", { keeps: true, isDead: false }, false],
])(
  "removes what was left, then lets go of its claims, unless it is kept: %s",
  async (_, given, isRemoved) => {
    const { keeps, isDead } = given;
    const done: string[] = [];
    const host = { removeJob: async (id: string) => void done.push(id) } as unknown as HostPlaces;
    const claims = new AsyncDisposableStack();
    claims.defer(async () => void done.push("claims"));
    const keeper = new JobKeeper(aJob("7-1.a", { retries: 1 }), store);
    const left = { keeper, host, claims, terms, isDead, retell: () => {}, lease: NO_LEASE };

    await keepLeft(left, { keep: async () => keeps });

    expect(done).toEqual(isRemoved ? ["7-1.a.retry1", "claims"] : []);
  },
);
