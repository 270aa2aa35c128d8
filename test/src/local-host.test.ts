import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { homedir, hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import type { Journal } from "../../runner/shell/shell.ts";
import type { HostPlaces } from "../../src/fleet/host-places.ts";
import { openLocalHost } from "../../src/local-host.ts";
import type { Log } from "../../src/log.ts";

const signal = AbortSignal.timeout(60_000);
const DEAD = `${hostname()}:4000000:gone/0/0`;
let folder: string;
let warnings: unknown[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "berth-test-local-"));
  warnings = [];
});
afterEach(async () => {
  expect(warnings).toEqual([]);
  await rm(folder, { recursive: true, force: true });
});

it("gives a job a place on this machine, and leaves nothing of it", async () => {
  await using host = await openHost();
  const place = await open(host, "run-1.test/a");

  expect(place.host).toBe("bench");
  expect(place.paths.workspace.startsWith(folder)).toBe(true);
  expect(await host.jobsWithRemains()).toEqual(["run-1.test/a"]);
  await place[Symbol.asyncDispose]();

  expect(await readdir(folder)).toEqual([]);
  expect(await host.jobsWithRemains()).toEqual([]);
});

it("removes what a killed life left, and ends what still runs of it", async () => {
  const left = join(folder, "left");
  await mkdir(left);
  await writeFile(join(left, "owner"), DEAD);
  await writeFile(join(left, "job"), "run-1.left");
  const env = { PATH: process.env.PATH ?? "", BERTH_LOCAL_JOB: left };
  const orphan = spawn("sleep", ["600"], { env, stdio: "ignore", detached: true });
  await once(orphan, "spawn");
  const ended = once(orphan, "exit");

  await using host = await openHost();

  expect((await ended)[1]).toBe("SIGKILL");
  expect(await readdir(folder)).toEqual([]);
  expect(await host.jobsWithRemains()).toEqual([]);
});

it("does not come back to a job, whose shell ended with its maker", async () => {
  await using host = await openHost();
  await using _place = await open(host, "run-1.lost");
  const journal = { generation: 2, checkpoints: [{ number: 1 }] } as unknown as Journal;

  await expect(open(host, "run-1.lost", journal)).rejects.toMatchObject({ code: "SHELL_LOST" });

  expect(await readdir(folder)).toEqual([]);
});

it("has this machine's processors and no GPU to give", async () => {
  await using host = await openHost();

  expect(await host.probe(signal)).toMatchObject({
    name: "bench",
    engines: [{ usable: true, enforcesLimits: false }],
    gpus: [],
  });
});

function openHost(): Promise<HostPlaces> {
  const hear = (...said: unknown[]) => void warnings.push(said);
  const log = { error: hear, warn: hear, info: hear, debug: hear } as Log;
  const { env } = process;
  const connect = {
    env: { ...env, DOCKER_HOST: "unix:///nowhere" },
    home: homedir(),
    uid: -1,
    stateDir: folder,
  };
  return openLocalHost({ name: "bench", slots: 2, folder, env, connect, log });
}

function open(host: HostPlaces, jobId: string, journal?: Journal) {
  const lease = {
    jobId,
    repository: "o/repo",
    host: "bench",
    cpus: 0,
    memoryBytes: 0,
    gpus: [],
    leasedAtMs: 0,
  };
  const request = { jobId, runId: "run-1", repository: "repo", labels: ["berth"] };
  const opening = { journal, progress: () => {}, placed: () => {}, signal };
  return host.openPlace({ lease, need: { gpus: 0, rootless: false, dind: false } })(
    request,
    opening,
  );
}
