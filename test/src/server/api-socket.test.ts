import { once } from "node:events";
import { mkdtemp, rename, rm, stat, writeFile } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import type { Log } from "../../../src/log.ts";
import { startApiSocket } from "../../../src/server/api-socket.ts";
import type { ServiceApi } from "../../../src/server/service-api.ts";
import { listedJob, listedJobs } from "./listed-jobs.ts";

let folder: string;
let path: string;
const ignore = () => {};
const log: Log = { error: ignore, warn: ignore, info: ignore, debug: ignore };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "berth-api-"));
  path = join(folder, "api.sock");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const start = (api: ServiceApi) => startApiSocket({ path, api, log });

async function send(method: string, url: string, body?: string): Promise<IncomingMessage> {
  const asked = request({ socketPath: path, method, path: url, agent: false });
  asked.end(body);
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  return response;
}

async function ask(method: string, url: string, body?: string) {
  const response = await send(method, url, body);
  return { status: response.statusCode, body: JSON.parse(await text(response)) as unknown };
}

const JOBS = [
  listedJob("7-1.build"),
  listedJob("7-1.test.2", { state: "completed", conclusion: "success" }),
  listedJob("8-1.build", { state: "running" }),
];

it("lists jobs, tells of one by the beginning of its id, and of hosts and readiness", async () => {
  const { api } = listedJobs(JOBS);
  await using _socket = await start(api);

  expect(await ask("GET", "/api/jobs?open=1")).toMatchObject({
    ...{ status: 200, body: { jobs: [{ id: "7-1.build" }, { id: "8-1.build" }] } },
  });
  expect(await ask("GET", "/api/jobs?limit=1")).toMatchObject({
    body: { jobs: [{ id: "7-1.build" }] },
  });
  expect(await ask("GET", "/api/jobs/8")).toMatchObject({
    body: { job: { id: "8-1.build" }, history: [{ message: "queued" }] },
  });
  expect(await ask("GET", "/api/jobs/8-1.build/why")).toEqual({
    ...{ status: 200, body: { id: "8-1.build", why: ["Both GPUs of gpu-1 are taken."] } },
  });
  expect(await ask("GET", "/api/hosts")).toMatchObject({ body: { hosts: [{ name: "gpu-1" }] } });
  expect(await ask("GET", "/readyz")).toMatchObject({ status: 200, body: { status: "ready" } });
});

it("says what is wrong with a question, as JSON", async () => {
  const { api } = listedJobs(JOBS);
  await using _socket = await start(api);

  expect(await ask("GET", "/api/jobs/9/why")).toEqual({
    ...{ status: 404, body: { message: "There is no job 9.", candidates: [] } },
  });
  expect(await ask("GET", "/api/jobs/7")).toEqual({
    status: 409,
    body: {
      message: "7 could be any of several jobs.",
      candidates: ["7-1.build", "7-1.test.2"],
    },
  });
  expect((await ask("GET", "/api/jobs?limit=many")).status).toBe(400);
  expect((await ask("POST", "/api/jobs/8/cancel", "{")).status).toBe(400);
  expect(await ask("GET", "/api/jobs/8/log")).toMatchObject({
    ...{ status: 404, body: { message: "Job 8-1.build has no log: it has not started." } },
  });
  expect(await ask("POST", "/api/hosts/x/drain")).toMatchObject({
    ...{ status: 404, body: { message: "There is no host x.", candidates: ["gpu-1"] } },
  });
  expect((await ask("GET", "/nothing")).status).toBe(404);
  expect((await ask("POST", "/api/jobs/8/log")).status).toBe(404);
});

it("cancels a job, drains a host and undrains it", async () => {
  const { api, asked } = listedJobs(JOBS);
  await using _socket = await start(api);

  expect(await ask("POST", "/api/jobs/8/cancel", '{"by":"octo"}')).toEqual({
    ...{ status: 200, body: { id: "8-1.build", isCancelled: true } },
  });
  expect(await ask("POST", "/api/jobs/7-1.t/cancel")).toMatchObject({
    body: { isCancelled: false },
  });
  expect((await ask("POST", "/api/hosts/gpu-1/drain")).status).toBe(200);
  expect((await ask("POST", "/api/hosts/gpu-1/undrain")).status).toBe(200);
  expect(asked).toEqual([
    "cancel 8-1.build by octo",
    "cancel 7-1.test.2 by berth jobs cancel",
    "drain gpu-1",
    "undrain gpu-1",
  ]);
});

it("sends a log as text, and follows it until the job ends", async () => {
  const { api, more } = listedJobs(JOBS, { "8-1.build": ["one", "zwei ü"] });
  await using _socket = await start(api);
  const ending = Promise.withResolvers<string[]>();
  more.set("8-1.build", ending.promise);

  expect(await text(await send("GET", "/api/jobs/8/log"))).toBe("one\nzwei ü\n");

  const following = await send("GET", "/api/jobs/8/log?follow=1");
  const [first] = (await once(following.setEncoding("utf8"), "data")) as [string];
  expect(first).toMatch(/^one\n/);
  ending.resolve(["three"]);
  expect(first + (await text(following))).toBe("one\nzwei ü\nthree\n");
});

it("ends what follows a log when its reader goes, and all of it when the service ends", async () => {
  const { api, asked, more } = listedJobs(JOBS, { "8-1.build": ["one"], "7-1.build": ["one"] });
  const socket = await start(api);
  for (const id of ["8-1.build", "7-1.build"]) more.set(id, new Promise(() => {}));

  const gone = await send("GET", "/api/jobs/8-1.build/log?follow=1");
  const staying = await send("GET", "/api/jobs/7-1.build/log?follow=1");
  const cut = once(staying.resume(), "error");
  gone.destroy();
  await socket[Symbol.asyncDispose]();

  expect(asked.toSorted()).toEqual(["log of 7-1.build left", "log of 8-1.build left"]);
  expect(String(await cut)).toContain("aborted");
  await expect(stat(path)).rejects.toThrow("ENOENT");
});

it("lets nobody but its user in, and takes the place of a dead service only", async () => {
  const { api } = listedJobs([]);
  const dead = createServer().listen(path);
  await once(dead, "listening");
  await expect(start(api)).rejects.toMatchObject({
    ...{ code: "STORE_UNUSABLE", message: expect.stringContaining("another berth serve answers") },
  });
  const kept = join(folder, "kept.sock");
  await rename(path, kept);
  dead.close();
  await once(dead, "close");
  await rename(kept, path);

  await using _socket = await start(api);

  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await ask("GET", "/readyz")).status).toBe(200);
});

it("says so when its path is too long, or taken by something else", async () => {
  const { api } = listedJobs([]);
  await writeFile(path, "");

  await expect(start(api)).rejects.toMatchObject({
    message: expect.stringContaining("something else has that name"),
  });
  path = join(folder, "x".repeat(100));
  await expect(start(api)).rejects.toMatchObject({
    code: "STORE_UNUSABLE",
    message: expect.stringContaining("107"),
    remedy: expect.stringContaining("shorter path"),
  });
});
