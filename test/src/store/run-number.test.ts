import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { nextRunNumber } from "../../../src/store/run-number.ts";
import { stateFolder } from "../../../src/store/state-folder.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "berth-state-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it("counts each workflow's runs from 1", async () => {
  const numbers = [];
  for (const key of ["a", "a", "b", "a"]) numbers.push(await nextRunNumber(folder, key));

  expect(numbers).toEqual([1, 2, 1, 3]);
});

it("gives different numbers to runs that start together", async () => {
  const numbers = await Promise.all(Array.from({ length: 20 }, () => nextRunNumber(folder, "a")));

  expect(new Set(numbers).size).toBe(20);
});

it("keeps state in the user's state folder, or below /var/lib for root", () => {
  expect(stateFolder({ HOME: "/home/a" }, 1000)).toBe("/home/a/.local/state/berth");
  expect(stateFolder({ HOME: "/root" }, 0)).toBe("/var/lib/berth");
  expect(stateFolder({ XDG_STATE_HOME: "/s" }, 0)).toBe("/s/berth");
  expect(stateFolder({ XDG_STATE_HOME: "relative", HOME: "/h" }, 5)).toBe("/h/.local/state/berth");
});
