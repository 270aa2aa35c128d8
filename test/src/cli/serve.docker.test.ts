import { type ChildProcess, spawn } from "node:child_process";
import { createHmac, generateKeyPairSync, randomInt, randomUUID } from "node:crypto";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import type Docker from "dockerode";
import { RUN_LABEL } from "../../../src/containers/labels.ts";
import type { LocalHub } from "../../../src/localhub/local-hub.ts";
import { startLocalHub } from "../../../src/localhub/start-local-hub.ts";
import { makeTestImages, testEngine } from "../../engine.ts";
import { type ConfigFolder, configFolder } from "../config/config-folder.ts";
import { runBerth } from "./run-berth.ts";

const NODE = dirname(process.execPath);
const COMMAND = join(import.meta.dirname, "../../../dist/berth.js");
const ENV_SECRET = "hunter2-of-the-container";
const CI = `
on: push
jobs:
  long:
    runs-on: [self-hosted, berth]
    container: { image: berth-test/debian, env: { PASSWORD: ${ENV_SECRET} } }
    steps:
      - run: until test -e /tmp/go; do sleep 0.1; done
`;

let hub: LocalHub;
let folder: ConfigFolder;
let docker: Docker;
let service: ChildProcess;
let url: string;
let said = "";

beforeAll(async () => {
  await makeTestImages();
  ({ docker } = await testEngine());
  hub = await startLocalHub({
    organizations: [
      {
        login: "octo",
        repositories: [{ name: "hello", files: { ".github/workflows/ci.yml": CI } }],
      },
    ],
    firstId: randomInt(1, 1_000_000) * 1000,
  });
  folder = configFolder(configOf({}));
  folder.write("key.pem", hub.app.privateKey);
  await start("--log-level", "debug", "--drain-timeout", "600");
}, 60_000);
afterAll(async () => {
  if (service.exitCode === null) service.kill("SIGKILL");
  const left = await jobContainers();
  await Promise.all(left.map(({ Id }) => docker.getContainer(Id).remove({ force: true, v: true })));
  await hub[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

/** The same with other values. */
function configOf({
  secret = "first",
  slots = 2,
  listen = "127.0.0.1:0",
  store = "store",
}): string {
  return JSON.stringify({
    github: {
      ...{ url: hub.url, apiUrl: hub.apiUrl, webhookSecret: secret },
      app: { id: hub.app.id, privateKeyFile: "key.pem" },
    },
    ...{ listen, hosts: [{ name: "here", slots }], store: { path: store } },
  });
}

async function start(...flags: string[]): Promise<void> {
  service = spawn(COMMAND, ["serve", "-c", "berth.yml", ...flags], {
    cwd: folder.root,
    env: { ...process.env, PATH: `${NODE}:${process.env.PATH}` },
    stdio: ["ignore", "ignore", "pipe"],
  });
  said = "";
  service.stderr?.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  url = await until(() => /^listening on (\S+)$/m.exec(said)?.[1]);
  hub.setWebhook(`${url}/webhooks/github`, "first");
}

async function until<T>(look: () => T | undefined | false | Promise<T | undefined | false>) {
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (service.exitCode !== null) throw new Error(`berth serve ended:\n${said}`);
    await sleep(50);
  }
}

/** Resolves once it has said so. */
async function hangUp(config: string, words: string): Promise<void> {
  said = "";
  folder.write("berth.yml", config);
  service.kill("SIGHUP");
  await until(() => said.includes(words));
}

async function jobContainers(): Promise<Docker.ContainerInfo[]> {
  const label = hub.runs().map(({ id }) => `${RUN_LABEL}=${id}-1`);
  if (label.length === 0) return [];
  const all = await Promise.all(
    label.map((one) => docker.listContainers({ filters: { label: [one] } })),
  );
  return all.flat();
}

async function deliver(secret: string): Promise<number> {
  const body = JSON.stringify({ zen: "Keep it simple.", hook_id: 1 });
  const signature = createHmac("sha256", secret).update(body).digest("hex");
  const response = await fetch(`${url}/webhooks/github`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-github-event": "ping",
      "x-github-delivery": randomUUID(),
      "x-hub-signature-256": `sha256=${signature}`,
    },
    body,
  });
  return response.status;
}

it("leaves a job running when it is told to stop, and its next life ends it once", async () => {
  await hub.commit("octo/hello", { branch: "main", message: "Go", files: { "a.txt": "1" } });
  const [container] = await until(async () => {
    const found = await jobContainers();
    const isRunning = hub.checkRuns().some(({ status }) => status === "in_progress");
    return isRunning && found.length > 0 && found;
  });
  const debug = said;

  service.kill("SIGTERM");
  await until(() => said.includes("waits for those that run"));
  const exit = once(service, "exit");
  service.kill("SIGTERM");
  const [code] = await exit;
  const after = await docker.getContainer(container?.Id ?? "").inspect();
  await start();
  const go = await docker.getContainer(after.Id).exec({ Cmd: ["touch", "/tmp/go"] });
  (await go.start({})).resume();
  await until(() =>
    hub.checkRuns().some(({ owner, status }) => owner === "app" && status === "completed"),
  );
  const checks = hub.checkRuns().filter(({ owner }) => owner === "app");

  expect(code).toBe(130);
  expect(after.State.Running).toBe(true);
  expect(checks).toMatchObject([{ name: "Berth / long", conclusion: "success" }]);
  expect(debug).toMatch(/DEBUG: asked the engine .*"path":"\/containers\/create/);
  expect(debug).not.toContain(ENV_SECRET);
  expect(debug).not.toMatch(/ghs_\w/);
}, 60_000);

it("reads its configuration anew at SIGHUP, and keeps the old one where the file is broken", async () => {
  await hangUp(configOf({ secret: "second" }), "configuration read anew");
  const rotated = [await deliver("first"), await deliver("second")];
  await hangUp("github: [", "configuration is not taken, the old one stays");
  const kept = await deliver("second");
  await hangUp(configOf({ secret: "third", slots: 3 }), '"needsRestart":["hosts"]');
  const third = await deliver("third");

  expect(rotated).toEqual([401, 202]);
  expect([kept, third]).toEqual([202, 202]);
});

it("lets berth host ls and berth labels say how much is free", async () => {
  const env = { XDG_STATE_HOME: process.env.XDG_STATE_HOME };
  const at = { cwd: folder.root, env };
  folder.write("same.yml", configOf({}));

  const [hosts, labels] = await Promise.all([
    runBerth(["host", "ls", "-c", "same.yml"], at),
    runBerth(["labels", "-c", "same.yml"], at),
  ]);

  const row = /^here +2 of 2 free +[\d.]+ of \d+ free +.* of .* free +0 of 0 free +takes jobs$/m;
  expect([hosts.code, hosts.stdout]).toEqual([0, expect.stringMatching(row)]);
  expect(labels.stdout).toMatch(row);
});

it("refuses to start where another has its store or address, or GitHub its key", async () => {
  const other = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs1", format: "pem" },
  });
  folder.write("other.pem", other.privateKey);
  folder.write("port.yml", configOf({ listen: new URL(url).host, store: "second" }));
  folder.write("key.yml", configOf({ store: "third" }).replace("key.pem", "other.pem"));
  const env = { XDG_STATE_HOME: process.env.XDG_STATE_HOME };
  const serve = (file: string) => runBerth(["serve", "-c", file], { cwd: folder.root, env });

  const [store, port, key] = await Promise.all([
    serve("same.yml"),
    serve("port.yml"),
    serve("key.yml"),
  ]);

  expect([store, port, key].map(({ code }) => code)).toEqual([1, 1, 2]);
  expect(store.stderr).toContain(`Another service (process ${service.pid}) uses the store`);
  expect(port.stderr).toMatch(/^berth: The address \S+ cannot be listened on: another process/m);
  expect(key.stderr).toContain(`The private key is not one of App ${hub.app.id}.`);
});

it("ends with 0 when it is told to stop and nothing runs", async () => {
  const exit = once(service, "exit");
  service.kill("SIGTERM");

  expect(await exit).toEqual([0, null]);
});
