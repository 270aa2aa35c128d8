import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import type { Log } from "../../../src/log.ts";
import { API_SOCKET, startApiSocket } from "../../../src/server/api-socket.ts";
import { storeFolder } from "../../../src/store/state-folder.ts";
import { configFolder, GITHUB } from "../config/config-folder.ts";
import { listedJob, listedJobs } from "../server/listed-jobs.ts";
import { runBerth } from "./run-berth.ts";

const ignore = () => {};
const log: Log = { error: ignore, warn: ignore, info: ignore, debug: ignore };

const { api, asked, more } = listedJobs(
  [
    listedJob("7-1.build", { reason: "Both GPUs of gpu-1\nare \u001b[2Jtaken." }),
    listedJob("7-1.test", {
      ...{ state: "completed", conclusion: "success", host: "gpu-1", name: "Test" },
      ...{ startedAtMs: 1_000, completedAtMs: 64_000, outputs: { version: "1.2" } },
    }),
  ],
  { "7-1.test": ["##[group]Run make", "##[endgroup]", "o\u001b[2Jne"] },
);

let cwd: string;
let socket: AsyncDisposable;

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "berth-jobs-"));
  // `runBerth` has its state there.
  const folder = storeFolder({}, join(cwd, ".state", "berth"));
  await mkdir(folder, { recursive: true });
  socket = await startApiSocket({ path: join(folder, API_SOCKET), api, log });
});
afterAll(async () => {
  await socket[Symbol.asyncDispose]();
  await rm(cwd, { recursive: true, force: true });
});

const berth = (...args: string[]) => runBerth(args, { cwd });

it("lists what is open, and with --all what has ended", async () => {
  const [open, all] = await Promise.all([
    berth("jobs", "ls"),
    berth("jobs", "ls", "--all", "--json"),
  ]);

  expect(open).toMatchObject({ code: 0, stderr: "" });
  expect(open.stdout).toMatch(
    /^ID +STATE +JOB +REPOSITORY +HOST +TIME +WHY\n7-1\.build +queued +Build +octo\/hello +\S+ \S+ +Both GPUs of gpu-1 are taken\.\n$/,
  );
  expect(JSON.parse(all.stdout)).toMatchObject({
    jobs: [{ id: "7-1.build" }, { id: "7-1.test", outputs: { version: "1.2" } }],
  });
});

it("tells of one job, why it waits, and cancels it", async () => {
  const [show, why, cancel] = await Promise.all([
    berth("jobs", "show", "7-1.t"),
    berth("jobs", "why", "7-1.b"),
    berth("jobs", "cancel", "7-1.b"),
  ]);

  expect(show.stdout).toContain("success, 1m 03s");
  expect(show.stdout).toMatch(/output version +1\.2\n[\s\S]*1970-01-01T00:00:00\.000Z +queued\n$/);
  expect(why).toMatchObject({ code: 0, stdout: "Both GPUs of gpu-1 are taken.\n" });
  expect(cancel).toMatchObject({ code: 0, stdout: "7-1.build is being cancelled.\n" });
  expect(asked).toContainEqual(expect.stringMatching(/^cancel 7-1\.build by \w+/));
});

it("says why there is no shell to open in a job", async () => {
  expect(await berth("jobs", "ssh", "7-1.b", "--", "true")).toMatchObject({
    ...{ code: 2, stdout: "", stderr: expect.stringContaining("7-1.build does not run yet.") },
  });
  expect(asked).toContainEqual(expect.stringMatching(/^shell 7-1\.build by \w+/));
});

it("prints a log, and follows it to the job's end", async () => {
  more.set("7-1.test", Promise.resolve(["two"]));

  expect(await berth("jobs", "logs", "-f", "7-1.t")).toMatchObject({
    ...{ code: 0, stderr: "", stdout: "▸ Run make\none\ntwo\n" },
  });
});

it("drains a host and undrains it", async () => {
  expect(await berth("host", "drain", "gpu-1")).toMatchObject({
    ...{ code: 0, stdout: "gpu-1 takes no new jobs now.\n" },
  });
  expect(await berth("host", "undrain", "x")).toMatchObject({
    ...{ code: 2, stderr: "berth: There is no host x.\nThere are: gpu-1.\n" },
  });
});

it("ends with 2 for an id that is unknown or could be several jobs'", async () => {
  expect(await berth("jobs", "why", "9")).toMatchObject({
    ...{ code: 2, stderr: "berth: There is no job 9.\n" },
  });
  expect(await berth("jobs", "why", "7-1")).toMatchObject({
    code: 2,
    stderr: "berth: 7-1 could be any of several jobs.\nThere are: 7-1.build, 7-1.test.\n",
  });
});

it("asks the service of the configuration that it is given", async () => {
  using folder = configFolder(`${GITHUB}store: { path: state }\n`);
  const args = ["jobs", "ls", "-c", join(folder.root, "berth.yml")];

  const { stderr } = await runBerth(args, { cwd });

  expect(stderr).toContain(`No service listens at ${join(folder.root, "state", API_SOCKET)}.`);
});

it("says that no service runs, and where it looked", async () => {
  const elsewhere = join(cwd, "elsewhere");
  const env = { XDG_STATE_HOME: elsewhere };

  const { code, stderr } = await runBerth(["jobs", "ls"], { cwd, env });

  expect(code).toBe(1);
  expect(stderr).toBe(
    `berth: No service listens at ${elsewhere}/berth/service/api.sock.\nStart it with berth serve, or name its configuration with -c FILE.\n`,
  );
});
