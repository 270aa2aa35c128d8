import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { openJobTokens } from "../../../src/fleet/job-tokens.ts";
import { keptTokens } from "../../../src/store/kept-tokens.ts";
import { openStore } from "../../../src/store/open-store.ts";
import type { Store } from "../../../src/store/store.ts";
import { temporaryFolder } from "../store/records.ts";
import { quietLog } from "./quiet-log.ts";

const HOUR_MS = 3_600_000;
let folder: ReturnType<typeof temporaryFolder>;
let store: Store;
let nowMs: number;
let made: string[];
let revoked: string[];
let hidden: string[];
let isAway: boolean;

beforeEach(async () => {
  folder = temporaryFolder();
  store = await openStore(folder.path);
  [nowMs, made, revoked, hidden, isAway] = [0, [], [], [], false];
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const open = () =>
  openJobTokens(
    {
      async jobToken() {
        if (isAway) throw new Error("GitHub is away");
        const token = `ghs_${made.length + 1}`;
        made.push(token);
        const revoke = async () => void revoked.push(token);
        return { token, expiresAtMs: nowMs + HOUR_MS, missing: ["packages: write"], revoke };
      },
      revokeToken: async (token) => void revoked.push(token),
    },
    {
      ...{ execution: "7-1.a", repository: "acme/app", permissions: undefined },
      ...{ kept: keptTokens(store.notes, "key"), log: quietLog(), now: () => nowMs },
      hide: (token) => void hidden.push(token),
      async insist(work) {
        isAway = false; // GitHub comes back
        return await work();
      },
    },
  );

it("gives the same token while it is good for a while, then a fresh one", async () => {
  await using tokens = await open();

  expect([await tokens.fresh(), await tokens.fresh()]).toEqual(["ghs_1", "ghs_1"]);
  expect(tokens.missing).toEqual(["packages: write"]);
  nowMs = HOUR_MS - 14 * 60_000;

  expect(await tokens.fresh()).toBe("ghs_2");
  expect(hidden).toEqual(["ghs_1", "ghs_2"]);
});

it("insists on the first token only; later the old one is used while it is good", async () => {
  isAway = true;
  await using tokens = await open();
  expect(await tokens.fresh()).toBe("ghs_1");
  isAway = true;
  nowMs = HOUR_MS - 1;
  expect(await tokens.fresh()).toBe("ghs_1");
  nowMs = HOUR_MS;

  await expect(tokens.fresh()).rejects.toThrow("GitHub is away");
});

it("revokes all that are still good at the end, and forgets them", async () => {
  {
    await using tokens = await open();
    await tokens.fresh();
    nowMs = HOUR_MS - 14 * 60_000;
    await tokens.fresh();
    nowMs = HOUR_MS;
  }

  expect(revoked).toEqual(["ghs_2"]);
  expect(await keptTokens(store.notes, "key").read("7-1.a")).toEqual([]);
});

it("knows those of a life that was killed: hides them, uses one while GitHub is away, revokes them", async () => {
  await (await open()).fresh();
  hidden = [];
  isAway = true;

  {
    await using next = await open();
    expect(next.earlier).toEqual(["ghs_1"]);
    expect(hidden).toEqual(["ghs_1"]);
    expect(await next.fresh()).toBe("ghs_1");
  }

  expect(revoked).toEqual(["ghs_1"]);
  expect((await open()).earlier).toEqual([]);
});
