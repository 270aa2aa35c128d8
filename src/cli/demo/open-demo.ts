import { randomBytes, randomInt } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { createMasker } from "../../../runner/logs/mask.ts";
import { configInvalid, readConfig } from "../../config/read-config.ts";
import { openEngineHost } from "../../engine-host.ts";
import { type Claim, createClaim } from "../../fleet/claim.ts";
import type { HostPlaces } from "../../fleet/host-places.ts";
import { openHost } from "../../hosts/open-host.ts";
import { openLocalHost } from "../../local-host.ts";
import type { LocalHub } from "../../localhub/local-hub.ts";
import { startLocalHub } from "../../localhub/start-local-hub.ts";
import { createLog, type Log, type LogLevel } from "../../log.ts";
import { openService, type Service } from "../open-service.ts";
import { thisMachine } from "../this-machine.ts";
import { version } from "../version.ts";
import { EXAMPLE, exampleFiles } from "./example-repository.ts";
import type { DemoIo, ReadyMachine } from "./ready-machine.ts";

/** A GitHub and a service on this machine that know each other. Disposing of it removes both with all that they made. */
export type Demo = AsyncDisposable & {
  readonly hub: LocalHub;
  readonly service: Service;
  readonly claim: Claim;
  readonly host: Pick<HostPlaces, "name" | "slots">;
  /** Its `berth.yml`, for `-c` of other commands. */
  readonly configFile: string;
  readonly storeFolder: string;
  /** Takes from jobs that run what they have. */
  removeRemains(): Promise<void>;
};

const HOST = "quay";
/** Fewer than the example's jobs, so that one of them has to wait. */
const SLOTS = 2;
/** As docs/guide/connect.md subscribes an App; GitHub adds those about checks by itself. */
const EVENTS = [
  "push",
  "pull_request",
  "release",
  "workflow_dispatch",
  "workflow_job",
  "workflow_run",
];
const CHECK_EVENTS = ["check_run", "check_suite"];

/** Starts both. Without `machine` jobs run on this machine without containers. */
export async function openDemo(
  machine: ReadyMachine | undefined,
  { io, logLevel }: { readonly io: DemoIo; readonly logLevel: LogLevel },
): Promise<Demo> {
  await using opened = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "berth-demo-"));
  opened.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const hub = opened.use(await startHub(machine));
  const configFile = await writeConfig(folder, hub);

  const { env } = io;
  const read = readConfig(configFile, { env, cwd: folder });
  if ("problems" in read) throw configInvalid(read.problems);
  const masker = createMasker();
  for (const secret of read.secrets) masker.add(secret);
  const log = createLog({ level: logLevel, format: "text", out: io.stderr, mask: masker.mask });

  const host = opened.use(await openDemoHost(machine, { folder, log, env }));
  const removeRemains = async () => {
    for (const jobId of await host.jobsWithRemains()) await host.removeJob(jobId);
  };
  opened.defer(removeRemains);
  const storeFolder = join(folder, "store");
  const service = opened.use(
    await openService({
      ...{ config: read.config, hosts: [host], storeFolder, log, hide: masker.add },
      stateFolder: thisMachine({}).stateDir,
      // Its GitHub is on this machine, where no proxy leads.
      env: { ...env, no_proxy: "*" },
      version: version(),
    }),
  );
  hub.setWebhook(`${service.url}/webhooks/github`);

  const kept = opened.move();
  return {
    ...{
      hub,
      service,
      configFile,
      storeFolder,
      host,
      removeRemains,
      claim: createClaim(read.config),
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function startHub(machine: ReadyMachine | undefined): Promise<LocalHub> {
  const [login = "", name = ""] = EXAMPLE.split("/");
  const files = await exampleFiles({ hasEngine: machine !== undefined });
  const variables = machine?.variables ?? {};
  return await startLocalHub({
    organizations: [{ login, repositories: [{ name, files, variables }] }],
    app: { slug: "berth-demo", events: [...EVENTS, ...CHECK_EVENTS] },
    // Jobs are named for their run's id, and others' may be on the same engine.
    firstId: randomInt(1, 1_000_000) * 1000,
  });
}

async function writeConfig(folder: string, hub: LocalHub): Promise<string> {
  const config = {
    github: {
      ...{ url: hub.url, apiUrl: hub.apiUrl },
      app: { id: hub.app.id, privateKeyFile: "app.pem" },
      webhookSecretFile: "webhook-secret",
    },
    listen: "127.0.0.1:0",
    hosts: [{ name: HOST, slots: SLOTS }],
    store: { path: "store" },
  };
  const write = (name: string, text: string) =>
    writeFile(join(folder, name), text, { mode: 0o600 });
  await write("app.pem", hub.app.privateKey);
  await write("webhook-secret", hub.webhookSecret);
  await write("berth.yml", stringify(config));
  return join(folder, "berth.yml");
}

async function openDemoHost(
  machine: ReadyMachine | undefined,
  { folder, log, env }: { readonly folder: string; readonly log: Log; readonly env: DemoIo["env"] },
): Promise<HostPlaces> {
  const facts = { name: HOST, slots: SLOTS, log };
  if (machine === undefined) {
    const jobs = join(folder, "jobs");
    return await openLocalHost({ ...facts, folder: jobs, env, connect: thisMachine({}) });
  }
  const connect = thisMachine({ docker: machine.engine.endpoint });
  return openEngineHost({
    ...{ slots: SLOTS, log, connect },
    access: await openHost({ name: HOST }, { connect }),
    serviceId: `demo-${randomBytes(8).toString("hex")}`,
    // Its jobs are our own, and rules of the packet filter would stay.
    metadataAddresses: [],
  });
}
