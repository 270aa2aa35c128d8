import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "@jest/globals";
import { configFolder, GITHUB } from "../config/config-folder.ts";
import { runBerth } from "./run-berth.ts";

it("keeps, lists and removes secrets without showing a value", async () => {
  using folder = configFolder(`${GITHUB}secretKeyFile: key\nstore: { path: store }\n`);
  const berth = (...args: string[]) => runBerth(args, { cwd: folder.root });
  folder.write("value", "very secret\n");
  await berth("secret", "key", "key");

  const set = ["secret", "set", "token", "--repo", "acme/app", "--env", "prod"];
  expect(await berth(...set, "--value-file", "value")).toMatchObject({
    code: 0,
    stdout: "Set TOKEN for acme/app, environment prod.\n",
    stderr: "",
  });
  const { stdout } = await berth("secret", "ls", "--json");
  expect(JSON.parse(stdout)).toEqual({
    secrets: [
      { name: "TOKEN", repository: "acme/app", environment: "prod", setAt: expect.any(String) },
    ],
  });
  expect(readFileSync(join(folder.root, "store/berth.db")).includes("very secret")).toBe(false);
  expect(await berth("store", "backup", "copy.db")).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^Wrote copy\.db, \d+ bytes\.\n$/),
  });
  expect((await berth("store", "backup", "copy.db")).code).toBe(2);
  expect((await berth("secret", "rm", "token", "--repo", "acme/app")).code).toBe(2);
  const rm = await berth("secret", "rm", "token", "--repo", "acme/app", "--env", "prod");
  expect(rm.code).toBe(0);
  expect((await berth("secret", "ls")).stdout).toBe("There are no secrets.\n");
});

it("says what the configuration and the command line lack", async () => {
  using folder = configFolder(GITHUB);
  const berth = (...args: string[]) => runBerth(args, { cwd: folder.root });

  expect(await berth("secret", "ls")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("berth.yml has no secretKeyFile"),
  });
  expect(await berth("secret", "set", "A", "--org", "a", "--env", "b")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("Add --repo OWNER/NAME"),
  });
});
