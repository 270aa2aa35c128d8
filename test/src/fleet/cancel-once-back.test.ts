import { expect, it } from "@jest/globals";
import type { JobPlace } from "../../../runner/job/execute-job.ts";
import { cancelOnceBack } from "../../../src/fleet/cancel-once-back.ts";

type OpenPlace = Parameters<typeof cancelOnceBack>[0];

const PLACE = {} as JobPlace;

/** What the executor hands over is only passed on. */
function open(openPlace: OpenPlace): Promise<JobPlace> {
  return openPlace({} as Parameters<OpenPlace>[0], {} as Parameters<OpenPlace>[1]);
}

it("opens the place of a job that was cancelled while nobody was there, then cancels it", async () => {
  const back = cancelOnceBack(async () => PLACE, AbortSignal.abort("Cancelled by ann."));
  expect(back.signal.aborted).toBe(false);

  expect(await open(back.openPlace)).toBe(PLACE);

  expect(back.signal.reason).toBe("Cancelled by ann.");
});

it("cancels a job at once that has come back", async () => {
  const cancel = new AbortController();
  const back = cancelOnceBack(async () => PLACE, cancel.signal);
  await open(back.openPlace);
  expect(back.signal.aborted).toBe(false);

  cancel.abort();

  expect(back.signal.aborted).toBe(true);
});

it("cancels a job whose place cannot be opened any more", async () => {
  const gone = () => Promise.reject(new Error("gone"));
  const back = cancelOnceBack(gone, AbortSignal.abort());

  await expect(open(back.openPlace)).rejects.toThrow("gone");

  expect(back.signal.aborted).toBe(true);
});
