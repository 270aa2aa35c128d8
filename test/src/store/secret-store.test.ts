import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { databaseFile } from "../../../src/store/open-database.ts";
import { makeKeyFile } from "../../../src/store/secret-key.ts";
import { openSecretStore, type SecretStore } from "../../../src/store/secret-store.ts";
import { temporaryFolder } from "./records.ts";

let folder: ReturnType<typeof temporaryFolder>;
let keyFile: string;
let secrets: SecretStore;
beforeEach(async () => {
  folder = temporaryFolder();
  keyFile = join(folder.path, "key");
  await makeKeyFile(keyFile);
  secrets = await openSecretStore(folder.path, keyFile, { now: () => 1234 });
});
afterEach(async () => {
  await secrets[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const repository = "acme/app";

it("gives a job those of its environment before its repository's before the organisation's", async () => {
  await secrets.set({ organisation: "Acme" }, "a", "org");
  await secrets.set({ organisation: "acme" }, "B", "org");
  await secrets.set({ organisation: "acme" }, "c", "org");
  await secrets.set({ repository }, "B", "repo");
  await secrets.set({ repository }, "C", "repo");
  await secrets.set({ repository: "ACME/App", environment: "Prod" }, "c", "env");
  await secrets.set({ repository: "acme/other" }, "D", "other");
  await secrets.set({ repository: "other/app" }, "D", "other");

  expect(await secrets.secretsFor({ repository, environment: "prod" })).toEqual({
    A: "org",
    B: "repo",
    C: "env",
  });
  expect(await secrets.secretsFor({ repository: "acme/APP" })).toMatchObject({ C: "repo" });
  expect(await secrets.secretsFor({ repository: "nobody/app" })).toEqual({});
});

it("lists names and scopes, replaces values, and removes", async () => {
  await secrets.set({ repository, environment: "prod" }, "token", "one");
  await secrets.set({ organisation: "acme" }, "TOKEN", "1");
  await secrets.set({ organisation: "acme" }, "token", "2");

  expect(await secrets.list()).toEqual([
    { name: "TOKEN", scope: { organisation: "acme" }, setAtMs: 1234 },
    { name: "TOKEN", scope: { repository, environment: "prod" }, setAtMs: 1234 },
  ]);
  expect(await secrets.secretsFor({ repository })).toEqual({ TOKEN: "2" });
  expect(await secrets.remove({ organisation: "ACME" }, "Token")).toBe(true);
  expect(await secrets.remove({ organisation: "ACME" }, "Token")).toBe(false);
});

it("writes no value in clear, and the same value never alike", async () => {
  const value = "correct horse battery staple";
  await secrets.set({ repository }, "ONE", value);
  await secrets.set({ repository }, "TWO", value);
  await secrets[Symbol.asyncDispose]();

  for (const name of readdirSync(folder.path)) {
    const bytes = readFileSync(join(folder.path, name));
    expect(bytes.includes(value)).toBe(false);
    expect(bytes.includes(Buffer.from(value).toString("base64").slice(0, 20))).toBe(false);
  }
  using database = new DatabaseSync(databaseFile(folder.path));
  const sealed = database.prepare("SELECT hex(sealed) AS hex FROM secrets").all();
  expect(new Set(sealed.map(({ hex }) => hex)).size).toBe(2);
});

it("does not give a repository what was moved to it in the file", async () => {
  await secrets.set({ repository: "acme/private" }, "TOKEN", "x");
  using database = new DatabaseSync(databaseFile(folder.path));
  database.exec("UPDATE secrets SET repository = 'app'");

  await expect(secrets.secretsFor({ repository })).rejects.toMatchObject({
    code: "CONFIG_INVALID",
  });
});

it("refuses another key, unless there is nothing that it could not read", async () => {
  const other = join(folder.path, "other");
  await makeKeyFile(other);
  await secrets.set({ repository }, "A", "x");

  await expect(openSecretStore(folder.path, other)).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    message: `The key in ${other} is not the one that the secrets are encrypted with.`,
  });
  await secrets.remove({ repository }, "A");
  await using changed = await openSecretStore(folder.path, other);
  await changed.set({ repository }, "A", "y");
  await expect(secrets.set({ repository }, "B", "z")).rejects.toThrow(`The key in ${keyFile}`);
  expect(await changed.secretsFor({ repository })).toEqual({ A: "y" });
});

it("wants a key file that is one, and is read by its owner only", async () => {
  expect(statSync(keyFile).mode & 0o777).toBe(0o600);
  await expect(makeKeyFile(keyFile)).rejects.toThrow("is there already");
  chmodSync(keyFile, 0o640);
  await expect(openSecretStore(folder.path, keyFile)).rejects.toMatchObject({
    message: `The key file ${keyFile} may be read or written by others.`,
    remedy: `chmod 600 ${keyFile}`,
  });
  writeFileSync(join(folder.path, "short"), "c2hvcnQ=", { mode: 0o600 });
  await expect(openSecretStore(folder.path, join(folder.path, "short"))).rejects.toThrow(
    "holds no key",
  );
  await expect(openSecretStore(folder.path, "/nowhere/key")).rejects.toThrow("cannot be read");
});

it.each([
  ["1A", "x", "no digit at its start"],
  ["A-B", "x", "letters, digits and _"],
  ["github_token", "x", "does not begin with GITHUB_"],
  ["A", "", "is empty"],
  ["A", "x".repeat(48 * 1024 + 1), "has 49153 bytes"],
])("refuses the secret %s as GitHub does", async (name, value, message) => {
  await expect(secrets.set({ repository }, name, value)).rejects.toMatchObject({
    code: "USAGE",
    message: expect.stringContaining(message),
  });
});
