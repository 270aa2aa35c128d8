import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { runBerth } from "./run-berth.ts";

describe("berth host setup", () => {
  let cwd: string;

  beforeEach(async () => {
    cwd = await mkdtemp(join(tmpdir(), "berth-test-"));
  });
  afterEach(() => rm(cwd, { recursive: true }));

  it("says what it would do to this machine, changes nothing, and says how to apply it", async () => {
    const { code, stdout } = await runBerth(["host", "setup", "--docker"], { cwd });

    expect(code).toBe(0);
    expect(stdout).toContain("This machine");
    expect(stdout.trimEnd().split("\n").at(-1)).toMatch(
      /^(Nothing was changed. To apply this: berth host setup --docker --yes|Nothing is to be done.)$/,
    );
  });

  it("tells programs each step, its commands and how it is verified", async () => {
    const { stdout } = await runBerth(["host", "setup", "--docker", "--json"], { cwd });

    const answer = JSON.parse(stdout);
    expect(answer).toMatchObject({ mode: "plan", engine: "docker", obstacles: [] });
    expect(answer.attempts.at(-1)).toMatchObject({ step: "Run a container", sudo: false });
  });

  it("sets nothing up where only an engine is reached", async () => {
    await writeFile(
      join(cwd, "berth.yml"),
      "hosts: [{ name: far, docker: 'tcp://10.255.255.1:2376' }]\n",
    );

    const { code, stdout } = await runBerth(["host", "setup", "far", "--yes"], { cwd });

    expect(code).toBe(3);
    expect(stdout).toContain("far is reached through its engine only");
  });

  it.each([
    [["--docker", "--rootless"], "--docker and --rootless exclude each other"],
    [["--plan", "--yes"], "--plan and --yes exclude each other"],
    [["nowhere"], "nowhere"],
  ])("refuses %j", async (args, message) => {
    const { code, stderr } = await runBerth(["host", "setup", ...args], { cwd });

    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });
});
