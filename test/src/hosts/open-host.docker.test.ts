import { mkdtemp, readFile, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { copyImage } from "../../../src/containers/copy-image.ts";
import { ensureImage, hasImage } from "../../../src/containers/images.ts";
import type { HostAccess } from "../../../src/hosts/host-access.ts";
import { openHost } from "../../../src/hosts/open-host.ts";
import type { SetupAnswer } from "../../../src/hosts/setup/setup-on-demand.ts";
import { withSetup } from "../../../src/hosts/with-setup.ts";
import { stateFolder } from "../../../src/store/state-folder.ts";
import { testEngine } from "../../engine.ts";
import { type HostMachine, startHostMachine } from "../../host-machines.ts";
import { tinyImage } from "../containers/tiny-image.ts";

const uid = process.getuid?.() ?? 0;
const connect = { env: {}, home: homedir(), uid, stateDir: stateFolder(process.env, uid) };
const signal = AbortSignal.timeout(60_000);
const stack = new AsyncDisposableStack();
let machine: HostMachine;
let host: HostAccess;

beforeAll(async () => {
  machine = stack.use(await startHostMachine({ name: "far" }));
  host = stack.use(await open());
}, 120_000);
afterAll(() => stack.disposeAsync(), 60_000);

it("looks at a machine over SSH, and finds the engine that its login reaches with sudo", async () => {
  const facts = await host.probe(signal);

  expect(facts).toMatchObject({
    name: "far",
    user: "ubuntu",
    sudo: true,
    engines: [{ endpoint: "unix:///var/run/docker.sock", isDefault: true, usable: true }],
  });
  expect(host.sshCommand).toBe(`ssh ubuntu@${machine.address}`);
});

it("gives the same engine to all who ask for it at once", async () => {
  const endpoint = "unix:///var/run/docker.sock";
  await using other = await open();

  const engines = await Promise.all([1, 2, 3].map(() => other.engine(endpoint, signal)));

  expect(new Set(engines).size).toBe(1);
});

it("copies an image to an engine there, once", async () => {
  const { docker: from } = await testEngine();
  await using image = await tinyImage(from, `berth-test/copy-${process.pid}:1`);
  const { docker: to } = await host.engine(undefined, signal);
  const told: string[] = [];
  const copy = () =>
    copyImage(image.tag, { from, to, progress: (line) => told.push(line), signal });

  expect(await copy()).toBe(true);
  expect(await hasImage(to, image.tag)).toBe(true);
  expect(await copy()).toBe(true);
  expect(told).toEqual([`Copying ${image.tag}`]);
});

it("says why the engine there did not take an image", async () => {
  const { docker: from } = await testEngine();
  await using image = await tinyImage(from, `berth-test/broken-${process.pid}:1`);
  const { docker: to } = await host.engine(undefined, signal);
  const broken = Object.create(from, {
    getImage: {
      value: (name: string) =>
        Object.create(from.getImage(name), { get: { value: async () => Readable.from(["cut"]) } }),
    },
  });

  const copying = copyImage(image.tag, { from: broken, to, progress: () => {}, signal });

  await expect(copying).rejects.toMatchObject({
    code: "SETUP_FAILED",
    message: expect.stringContaining("unexpected EOF"),
  });
});

it("gives an engine there what a registry does not, from the engine here", async () => {
  const { docker: from } = await testEngine();
  await using image = await tinyImage(from, `127.0.0.1:1/berth-test/supply-${process.pid}:1`);
  const { docker: to } = await host.engine(undefined, signal);
  const told: string[] = [];

  const found = await ensureImage(to, image.tag, {
    supply: { copyFrom: async () => from },
    progress: (line) => told.push(line),
    signal,
  });

  expect(found.name).toBe(image.tag);
  expect(told).toContain(`Copying ${image.tag}`);
});

it("says of an image that nobody has that it is not there", async () => {
  const { docker: from } = await testEngine();
  const { docker: to } = await host.engine(undefined, signal);

  const copied = await copyImage("berth-test/nobody:1", { from, to, progress: () => {}, signal });

  expect(copied).toBe(false);
});

it("starts the engine of a machine that may be set up, once it is gone", async () => {
  const folder = await mkdtemp(join(tmpdir(), "berth-with-setup-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const answers: SetupAnswer[] = [];
  const kept = withSetup(host, {
    allow: ["docker"],
    logFile: join(folder, "far.log"),
    report: () => {},
    tell: (answer) => answers.push(answer),
  });
  await kept.probe(signal);
  expect(answers).toEqual([]);

  await machine.exec(
    "pid=$(cat /run/docker.pid); kill $pid; while [ -e /proc/$pid ]; do sleep 0.1; done",
  );
  const facts = await kept.probe(signal);

  expect(facts.engines.filter(({ usable }) => usable)).toHaveLength(1);
  expect(answers).toMatchObject([{ ok: true, engine: "docker" }]);
  expect(await readFile(join(folder, "far.log"), "utf8")).toContain("dockerd");
});

it("has no shell where only an engine is spoken to", async () => {
  await using access = await openHost({ name: "net", docker: "tcp://192.0.2.1:2376" }, { connect });

  expect(access.shell).toBeUndefined();
  expect(access.address).toBe("192.0.2.1");
});

function open(): Promise<HostAccess> {
  const { address, identityFile, hostKey } = machine;
  const ssh = { destination: `ubuntu@${address}`, identityFile, hostKey };
  return openHost({ name: "far", ssh }, { connect });
}
