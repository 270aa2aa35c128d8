import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { ending, runBerth, startBerth } from "./run-berth.ts";

let cwd: string;
let env: { [name: string]: string };
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "berth-demo-test-"));
  mkdirSync(join(cwd, "tmp"));
  env = { DOCKER_HOST: "unix:///nowhere/docker.sock", TMPDIR: join(cwd, "tmp") };
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

it("shows without an engine what needs none, and says what it leaves out", async () => {
  // Nothing that is on this machine may be looked for behind a proxy.
  const proxied = { ...env, HTTP_PROXY: "http://127.0.0.1:9", http_proxy: "http://127.0.0.1:9" };

  const ended = await runBerth(["demo"], { cwd, env: proxied });

  expect(ended.code).toBe(0);
  expect(ended.stderr).toContain("No containers here: No container engine answers.");
  expect(ended.stderr).toContain("isolates nothing");
  expect(section(ended.stdout, "The checks that Berth made, as GitHub shows them").sort()).toEqual([
    expect.stringMatching(/^✓ Berth \/ Build the hull {2}success {2}\d+\.\ds$/),
    expect.stringMatching(/^✓ Berth \/ Build the mast {2}success {2}\d+\.\ds$/),
    expect.stringMatching(/^✓ Berth \/ Build the sail {2}success {2}\d+\.\ds$/),
    expect.stringMatching(/^✓ Berth \/ Launch {10}success {2}\d+\.\ds$/),
  ]);
  expect(ended.stdout).toContain(
    "Left out, for want of an engine: .github/workflows/tides.yml\n── Demo: success after ",
  );
  expect(readdirSync(join(cwd, "tmp"))).toEqual([]);
});

it("fails without an engine when containers were asked for", async () => {
  const ended = await runBerth(["demo", "--backend", "docker"], { cwd, env });

  expect(ended.code).toBe(3);
  expect(ended.stdout).toBe("");
  expect(ended.stderr).toContain("No container engine answers.");
  expect(readdirSync(join(cwd, "tmp"))).toEqual([]);
});

it("says that it needs git where there is none", async () => {
  const PATH = dirname(process.execPath);

  const ended = await runBerth(["demo", "--backend", "local"], { cwd, env: { ...env, PATH } });

  expect(ended.code).toBe(3);
  expect(ended.stderr).toContain("There is no git on the PATH");
  expect(readdirSync(join(cwd, "tmp"))).toEqual([]);
});

it("stays on demand, answers other commands, and leaves nothing when Ctrl-C ends it", async () => {
  const demo = startBerth(["demo", "--stay", "--backend", "local"], { cwd, env });
  const done = ending(demo);
  let printed = "";
  while (!printed.includes("Ctrl-C ends it")) {
    const [chunk] = (await once(demo.stdout as NonNullable<typeof demo.stdout>, "data")) as [
      Buffer,
    ];
    printed += chunk.toString();
  }
  const [, config = ""] = /jobs ls --all -c (\S+)/.exec(printed) ?? [];

  const asked = await runBerth(["jobs", "ls", "--all", "-c", config], { cwd, env });
  demo.kill("SIGINT");

  expect(asked.stdout).toMatch(/\.launch +success +Launch +harbour\/ship +quay /);
  expect(printed).toMatch(
    /^ {2}git clone http:\/\/octocat:\S+@127\.0\.0\.1:\d+\/harbour\/ship\.git$/m,
  );
  expect(await done).toMatchObject({
    code: 130,
    stderr: "The local backend isolates nothing: steps run on this machine, as you.\n",
  });
  expect(readdirSync(join(cwd, "tmp"))).toEqual([]);
});

/** The lines below a heading. */
function section(stdout: string, heading: string): string[] {
  const [, rest = ""] = stdout.split(`\n${heading}\n`);
  const [lines = ""] = rest.split("\n\n");
  return lines.split("\n");
}
