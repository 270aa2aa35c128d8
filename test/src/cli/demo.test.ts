import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { runBerth } from "./run-berth.ts";

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "berth-demo-test-"));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

it("shows without an engine what needs none, and says what it leaves out and why", async () => {
  const ended = await runBerth(["demo", "--backend", "local"], { cwd, env: NO_ENGINE });

  expect(ended.code).toBe(0);
  expect(ended.stdout).toContain("examples/data/arrivals.csv: 24 rows, 11 of them by Alba");
  expect(ended.stdout).toContain("examples/data/departures.csv has 18 rows, most of Dorada");
  expect(ended.stdout).not.toContain("docker run");
  expect(summaryOf(ended.stdout)).toEqual([
    expect.stringMatching(/^✓ main\.yml /),
    expect.stringMatching(/^✓ actions\.yml +A JavaScript and a composite action$/),
    expect.stringMatching(/^- main\.yml .*\(left out: no container engine\)$/),
    expect.stringMatching(/^- actions\.yml +A docker action \(left out: no container engine\)$/),
    expect.stringMatching(/^- service\.yml .*\(left out: no container engine\)$/),
    expect.stringMatching(/^- data-pipeline\.yml .*\(left out: no container engine\)$/),
    expect.stringMatching(/^- multi-platform\.yml .*\(left out: no container engine\)$/),
  ]);
});

it("falls back to this machine where the engine that is named does not answer", async () => {
  const ended = await runBerth(["demo"], { cwd, env: NO_ENGINE });

  expect(ended.code).toBe(0);
  expect(ended.stderr).toContain("No containers here: No container engine answers.");
  expect(ended.stderr).toContain("isolates nothing");
  expect(summaryOf(ended.stdout)).toHaveLength(7);
});

it("fails without an engine when containers were asked for", async () => {
  const ended = await runBerth(["demo", "--backend", "docker"], { cwd, env: NO_ENGINE });

  expect(ended.code).toBe(3);
  expect(ended.stdout).toBe("");
  expect(ended.stderr).toContain("No container engine answers.");
});

const NO_ENGINE = { DOCKER_HOST: "unix:///nowhere/docker.sock" };

function summaryOf(stdout: string): string[] {
  const [, summary = ""] = stdout.split("── Demo: success after ");
  return summary.trim().split("\n").slice(1);
}
