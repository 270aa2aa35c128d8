import { expect, it } from "@jest/globals";
import { tryLimits } from "../../../src/containers/try-limits.ts";
import { findLeftovers, testMachine } from "../../engine.ts";

const { signal } = new AbortController();

it("finds that the engine holds a container to its limit, and leaves nothing", async () => {
  const { engine, jobImage } = await testMachine();

  expect(await tryLimits(engine.docker, jobImage, signal)).toBe(true);

  expect(await findLeftovers("try-limits")).toEqual([]);
});

it("says so when no container can be started", async () => {
  const { engine } = await testMachine();

  await expect(tryLimits(engine.docker, "berth-test/none", signal)).rejects.toMatchObject({
    code: expect.stringMatching(/^(?:ENGINE_REFUSED|IMAGE_NOT_FOUND)$/),
  });
});
