import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { openEngineHost } from "../../src/engine-host.ts";
import type { HostPlaces } from "../../src/fleet/host-places.ts";
import { clearRemains } from "../../src/fleet/lost-leases.ts";
import { patientPlaces } from "../../src/fleet/patient-places.ts";
import { type HostWatch, watchHosts } from "../../src/fleet/watch-hosts.ts";
import { openHost } from "../../src/hosts/open-host.ts";
import { openScheduler } from "../../src/scheduler/open-scheduler.ts";
import { openStore } from "../../src/store/open-store.ts";
import { findLeftovers, testMachine } from "../engine.ts";
import { type EngineProxy, startEngineProxy } from "../engine-proxy.ts";
import { quietLog } from "./fleet/quiet-log.ts";
import { temporaryFolder } from "./store/records.ts";

const SERVICE = `cut-${process.pid}`;
const stack = new AsyncDisposableStack();
const never = new AbortController().signal;
let proxy: EngineProxy;
let host: HostPlaces;
let watch: HostWatch;

beforeAll(async () => {
  await testMachine();
  const folder = stack.use(temporaryFolder());
  const store = stack.use(await openStore(folder.path));
  proxy = stack.use(await startEngineProxy());
  const connect = { env: process.env, home: "/nonexistent", uid: 0, stateDir: folder.path };
  host = openEngineHost({
    access: await openHost({ name: "cut", docker: proxy.endpoint }, { connect }),
    ...{ slots: 2, connect, serviceId: SERVICE, log: quietLog(), metadataAddresses: [] },
  });
  stack.use(host);
  const scheduler = await openScheduler({ store: store.leases, hosts: [], limits: {} });
  watch = stack.use(watchHosts([host], { scheduler, store: store.hosts, log: quietLog() }));
  await watch.probe(never);
}, 60_000);
afterAll(() => stack.disposeAsync());

it.each([
  ["its network", /^POST .*\/networks\/create/, "before"],
  ["its container", /^POST .*\/containers\/create/, "after"],
  ["its files", /^PUT .*\/archive/, "before"],
  ["its start", /^POST .*\/start/, "after"],
] as const)(
  "makes a job's place once more when the way to the engine is cut at %s",
  async (what, line, when) => {
    const jobId = `${SERVICE}.${what.replace(" ", "-")}`;
    const told: (string | undefined)[] = [];
    const cut = proxy.cutAt(line, when);

    const opening = open(jobId, (why) => {
      told.push(why);
      if (why?.includes("cannot run jobs now")) proxy.mend();
    });
    await cut;
    const place = await opening;
    const lines: string[] = [];
    const command = { argv: ["sh", "-c", "echo on"], cwd: "/", env: {} };
    await place.shell.run(command, { onOutput: (chunk) => void lines.push(chunk.toString()) });

    expect(lines.join("")).toBe("on\n");
    expect(told[0]).toMatch(/^It waits for the host cut to answer: /);
    expect(told.at(-1)).toBeUndefined();
    expect((await findLeftovers(jobId)).filter((name) => name.startsWith("/"))).toHaveLength(1);
    await place[Symbol.asyncDispose]();
    expect(await findLeftovers(jobId)).toEqual([]);
  },
  30_000,
);

function open(jobId: string, onWait: (why: string | undefined) => void) {
  const lease = { jobId, host: "cut", repository: "o/r", cpus: 0, memoryBytes: 0, gpus: [] };
  const need = { gpus: 0, rootless: false, dind: false };
  const places = patientPlaces(host.openPlace({ lease: { ...lease, leasedAtMs: 0 }, need }), {
    ...{ host, answers: watch.answers, cancelled: never, onWait },
    clear: () => clearRemains(host, jobId),
  });
  const request = { jobId, runId: SERVICE, repository: "repo", labels: ["berth"] };
  return places(request, { journal: undefined, progress() {}, placed() {}, signal: never });
}
