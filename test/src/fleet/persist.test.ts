import { expect, it } from "@jest/globals";
import { BerthError } from "../../../runner/errors.ts";
import { persist } from "../../../src/fleet/persist.ts";
import { quietLog } from "./quiet-log.ts";

const refused = new BerthError("GITHUB_REFUSED", { message: "No." });

function failing(...errors: unknown[]) {
  let tries = 0;
  const work = async () => {
    const error = errors[tries++];
    if (error !== undefined) throw error;
    return "done";
  };
  return { work, tries: () => tries };
}

it("does again what failed, and says why it is not done yet", async () => {
  const { work } = failing(new Error("the disk is full"));
  const reasons: string[] = [];
  const log = quietLog();

  const { signal } = new AbortController();
  const options = { log, signal, onWait: (reason: string) => void reasons.push(reason) };

  expect(await persist("write", work, options)).toBe("done");
  expect(reasons).toEqual(["the disk is full"]);
  expect(log.said).toEqual(["failed, is tried again"]);
});

it("gives up what GitHub refuses, unless it must be done all the same", async () => {
  const options = { log: quietLog(), signal: new AbortController().signal };

  await expect(persist("ask", failing(refused).work, options)).rejects.toBe(refused);
  expect(await persist("ask", failing(refused).work, { ...options, retryRefused: true })).toBe(
    "done",
  );
});

it("begins nothing once the service stops, and does not wait", async () => {
  const stop = new AbortController();
  const { work, tries } = failing(...Array.from({ length: 9 }, () => new Error("away")));
  const options = { log: quietLog(), signal: stop.signal, onWait: () => stop.abort() };

  expect(await persist("ask", work, options)).toBeUndefined();
  expect(await persist("ask", work, options)).toBeUndefined();
  expect(tries()).toBe(1);
});
