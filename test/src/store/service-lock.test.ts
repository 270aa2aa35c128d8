import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, it } from "@jest/globals";
import { lockService } from "../../../src/store/service-lock.ts";
import { temporaryFolder } from "./records.ts";

it("lets one service have a folder, and names it to the next", async () => {
  using folder = temporaryFolder();
  {
    await using _ = await lockService(folder.path);

    await expect(lockService(folder.path)).rejects.toMatchObject({
      code: "STORE_UNUSABLE",
      message: `Another service (process ${process.pid}) uses the store ${folder.path}.`,
    });
  }

  await using again = await lockService(folder.path);
  expect(again).toBeDefined();
});

it("is free again when the process that had it was killed", async () => {
  using folder = temporaryFolder();
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(import.meta.dirname, "holds-lock.ts")],
    { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, FOLDER: folder.path } },
  );
  await once(child.stdout, "data");
  await expect(lockService(folder.path)).rejects.toThrow(`process ${child.pid}`);
  child.kill("SIGKILL");
  await once(child, "exit");

  await using lock = await lockService(folder.path);

  expect(lock).toBeDefined();
});
