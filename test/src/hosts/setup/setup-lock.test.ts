import { existsSync } from "node:fs";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { localShell } from "../../../../src/hosts/machine-shell.ts";
import { lockSetup } from "../../../../src/hosts/setup/setup-lock.ts";

const signal = new AbortController().signal;
const shell = localShell(process.env);
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "berth-lock-"));
});
afterEach(() => rm(folder, { recursive: true }));

it("is held by one at a time", async () => {
  const file = join(folder, "lock");
  const first = await lockSetup(shell, { file, signal });

  await expect(lockSetup(shell, { file, signal })).rejects.toMatchObject({
    message: expect.stringContaining("under way"),
  });
  await first[Symbol.asyncDispose]();
  await using _second = await lockSetup(shell, { file, signal });
});

it("makes no file where another user's link leads", async () => {
  const file = join(folder, "lock");
  await symlink(join(folder, "elsewhere"), file);

  await expect(lockSetup(shell, { file, signal })).rejects.toMatchObject({ code: "SETUP_FAILED" });
  expect(existsSync(join(folder, "elsewhere"))).toBe(false);
});
