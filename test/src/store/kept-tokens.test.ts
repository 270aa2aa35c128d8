import { expect, it } from "@jest/globals";
import { keptTokens } from "../../../src/store/kept-tokens.ts";
import { openStore } from "../../../src/store/open-store.ts";
import { temporaryFolder } from "./records.ts";

it("gives the next life the tokens of the one before, the oldest first, and none after they are forgotten", async () => {
  using folder = temporaryFolder();
  {
    await using store = await openStore(folder.path);
    const kept = keptTokens(store.notes, "key");
    await kept.add("7-1.a", "ghs_one");
    await kept.add("7-1.a", "ghs_two");
    await kept.add("7-1.b", "ghs_other");
  }

  await using store = await openStore(folder.path);
  const kept = keptTokens(store.notes, "key");

  expect(await kept.read("7-1.a")).toEqual(["ghs_one", "ghs_two"]);
  await kept.forget("7-1.a");
  expect(await kept.read("7-1.a")).toEqual([]);
  expect(await kept.read("7-1.b")).toEqual(["ghs_other"]);
});

it("has no token in clear in the database, and leaves out what another key sealed, or was moved", async () => {
  using folder = temporaryFolder();
  await using store = await openStore(folder.path);
  await keptTokens(store.notes, "key").add("7-1.a", "ghs_secret");
  const note = (await store.notes.get("tokens:7-1.a")) ?? "";

  expect(note).not.toBe("");
  expect(Buffer.from(note, "base64").includes("ghs_secret")).toBe(false);
  expect(await keptTokens(store.notes, "new key").read("7-1.a")).toEqual([]);
  await store.notes.set("tokens:7-1.b", note);
  expect(await keptTokens(store.notes, "key").read("7-1.b")).toEqual([]);
});
