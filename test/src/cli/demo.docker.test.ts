import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { OWNER_LABEL } from "../../../src/containers/labels.ts";
import { jobImage, testEngine } from "../../engine.ts";
import { ending, startBerth } from "./run-berth.ts";

let cwd: string;
let env: { [name: string]: string };
beforeEach(async () => {
  cwd = mkdtempSync(join(tmpdir(), "berth-demo-test-"));
  mkdirSync(join(cwd, "tmp"));
  await jobImage();
  env = { DOCKER_HOST: (await testEngine()).endpoint, TMPDIR: join(cwd, "tmp") };
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

it("shows the way from a push to the checks on GitHub, and leaves nothing", async () => {
  const demo = startBerth(["demo"], { cwd, env });
  const { code, stdout } = await ending(demo);

  const lines = stdout.split("\n").map((line) => line.replace(/^ *[\d.]+s {2}/, ""));
  expect(code).toBe(0);
  expect(lines).toEqual(
    expect.arrayContaining([
      "webhook             workflow_job · queued · Build the hull",
      "Build the hull      labels self-hosted, linux, berth: Berth's",
      "Check the spelling  labels ubuntu-latest: not Berth's, a runner of GitHub's takes it",
      expect.stringMatching(/ waits: All slots of quay are taken/),
      expect.stringMatching(/^Build the sail +labels .*: Berth's, and started by it/),
      "Ask for the tide    starts on the host quay",
      expect.stringMatching(/^Ask for the tide +✓ Ask the service \([\d.]+s\)$/),
      "Launch              success",
      expect.stringMatching(/^✓ Berth \/ Ask for the tide {2}success {2}[\d.]+s$/),
      expect.stringMatching(/^✓ Berth \/ Launch +success {2}[\d.]+s$/),
      expect.stringMatching(/^parts\/sail\.md:4 warning: Old canvas: It holds/),
      expect.stringMatching(/^■ Build the hull +cancelled +by Berth/),
      expect.stringMatching(/^- Launch +skipped$/),
      expect.stringMatching(/^── Demo: success after /),
    ]),
  );
  expect(await leftovers(demo.pid)).toEqual([]);
  expect(readdirSync(join(cwd, "tmp"))).toEqual([]);
});

it.each(["once", "twice"])("leaves nothing when Ctrl-C comes in the midst, %s", async (times) => {
  const demo = startBerth(["demo"], { cwd, env });
  const done = ending(demo);
  await prints(demo, "starts on the host");
  demo.kill("SIGINT");
  if (times === "twice") {
    await prints(demo, "\nStops: ");
    demo.kill("SIGINT");
  }
  const { code, stdout } = await done;

  expect(code).toBe(130);
  expect(stdout).not.toContain("── Demo:");
  expect(await leftovers(demo.pid)).toEqual([]);
  expect(readdirSync(join(cwd, "tmp"))).toEqual([]);
});

async function prints({ stdout }: ChildProcess, text: string): Promise<void> {
  for (let printed = ""; !printed.includes(text); ) {
    const [chunk] = (await once(stdout as Readable, "data")) as [Buffer];
    printed += chunk.toString();
  }
}

/** What a process has made for jobs and not removed. */
async function leftovers(pid: number | undefined): Promise<(string | undefined)[]> {
  const { docker } = await testEngine();
  const filters = { label: [OWNER_LABEL] };
  const [containers, networks, { Volumes: volumes }] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listNetworks({ filters }),
    docker.listVolumes({ filters }),
  ]);
  return [...containers, ...networks, ...volumes]
    .map(({ Labels: labels }) => labels?.[OWNER_LABEL])
    .filter((owner) => owner?.startsWith(`${hostname()}:${pid}:`));
}
