import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { type HostMachine, startHostMachine } from "../../host-machines.ts";
import { type Ended, runBerth } from "./run-berth.ts";

describe("berth host setup of a bare machine over SSH", () => {
  let machine: HostMachine;
  let cwd: string;

  beforeAll(async () => {
    cwd = await mkdtemp(join(tmpdir(), "berth-test-"));
    machine = await startHostMachine({ name: "bare", engine: false });
    const { address, identityFile, hostKey } = machine;
    const host = { name: "bare", ssh: `ubuntu@${address}`, identityFile, hostKey };
    await writeFile(join(cwd, "berth.yml"), JSON.stringify({ hosts: [host] }));
  });
  afterAll(async () => {
    await machine?.[Symbol.asyncDispose]();
    await rm(cwd, { recursive: true });
  });

  it("gives its ordinary user a rootless Docker, and keeps a log of that here", async () => {
    const { code, stdout } = await setUp("--yes");

    expect(stdout).toContain("bare has a rootless Docker at unix:///home/ubuntu/.docker/run");
    expect(code).toBe(0);
    const log = await readFile(join(cwd, ".state/berth/setup/bare.log"), "utf8");
    expect(log).toContain("$ sudo env DEBIAN_FRONTEND=noninteractive apt-get");
    expect(log).toContain("step_done Start the engine");
  });

  it("has nothing to do the second time", async () => {
    const { code, stdout } = await setUp("--yes");

    expect(stdout).toContain("Nothing is to be done.");
    expect(code).toBe(0);
  });

  it("gives it the system's Docker beside it, when that is asked for", async () => {
    const { code, stdout } = await setUp("--docker", "--yes", "--json");

    expect(JSON.parse(stdout)).toMatchObject({ ok: true, engine: "docker" });
    expect(code).toBe(0);
  });

  it("has both found by the probe", async () => {
    const { stdout, stderr } = await runBerth(["host", "probe", "bare", "--json"], { cwd });

    expect(stderr).toBe("");

    const { engines } = JSON.parse(stdout);
    expect(engines).toEqual([
      expect.objectContaining({ rootless: false, usable: true }),
      expect.objectContaining({ rootless: true, usable: true }),
    ]);
  });

  async function setUp(...flags: string[]): Promise<Ended> {
    const ended = await runBerth(["host", "setup", "bare", ...flags], { cwd });
    // Its progress; of one that failed the reason.
    if (ended.code !== 0) process.stderr.write(ended.stderr);
    return ended;
  }
});
