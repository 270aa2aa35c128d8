import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, it } from "@jest/globals";
import { backUpStore } from "../../../src/store/back-up-store.ts";
import { createStore, openStore } from "../../../src/store/open-store.ts";
import { aDelivery, temporaryFolder } from "./records.ts";

it("copies one moment of a store that is written to", async () => {
  using folder = temporaryFolder();
  const target = join(folder.path, "copy.db");
  await using store = await openStore(folder.path);
  await Promise.all(
    Array.from({ length: 500 }, (_, id) => store.deliveries.add(aDelivery(`${id}`))),
  );

  const adding = Array.from({ length: 500 }, (_, id) => store.deliveries.add(aDelivery(`b${id}`)));
  const { sizeBytes } = await backUpStore(folder.path, target, { overwrite: false });
  await Promise.all(adding);

  expect(statSync(target)).toMatchObject({ size: sizeBytes, mode: 0o100600 });
  await using copy = createStore(new DatabaseSync(target), target);
  expect((await copy.deliveries.unhandled(1e6)).length).toBeGreaterThanOrEqual(500);
  expect(await store.deliveries.unhandled(1e6)).toHaveLength(1000);
  expect(readdirSync(folder.path).filter((name) => name.startsWith(".berth"))).toEqual([]);
});

it("overwrites only when told to, and needs a store", async () => {
  using folder = temporaryFolder();
  const target = join(folder.path, "copy.db");
  writeFileSync(target, "mine");
  await expect(backUpStore(folder.path, target, { overwrite: true })).rejects.toMatchObject({
    code: "STORE_UNUSABLE",
    message: expect.stringContaining("There is no database"),
  });
  await (await openStore(folder.path))[Symbol.asyncDispose]();

  await expect(backUpStore(folder.path, target, { overwrite: false })).rejects.toMatchObject({
    code: "USAGE",
    message: `${target} is there already.`,
  });
  await backUpStore(folder.path, target, { overwrite: true });
  expect(statSync(target).size).toBeGreaterThan(1000);
  await expect(
    backUpStore(folder.path, join(folder.path, "no/copy.db"), { overwrite: false }),
  ).rejects.toMatchObject({ code: "STORE_UNUSABLE" });
});
