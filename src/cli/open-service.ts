import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BerthError, textOf } from "../../runner/errors.ts";
import type { ServiceConfig } from "../config/resolve-files.ts";
import { answerService } from "../fleet/answer-service.ts";
import { type Claim, createClaim } from "../fleet/claim.ts";
import { executionJobId } from "../fleet/execution-id.ts";
import { lookForGpus } from "../fleet/gone-gpus.ts";
import type { HostPlaces } from "../fleet/host-places.ts";
import { KeptJobs } from "../fleet/kept-jobs.ts";
import { freeLostLeases } from "../fleet/lost-leases.ts";
import { openFleet } from "../fleet/open-fleet.ts";
import { reapLeases, reapRemains } from "../fleet/reap.ts";
import { watchHosts } from "../fleet/watch-hosts.ts";
import { openGitHubApp } from "../github/open-github-app.ts";
import { startIntake } from "../intake/start-intake.ts";
import type { Log } from "../log.ts";
import { openScheduler } from "../scheduler/open-scheduler.ts";
import type { HostStatus } from "../scheduler/scheduler.ts";
import { API_SOCKET, startApiSocket } from "../server/api-socket.ts";
import { healthRoutes } from "../server/health-routes.ts";
import { createHeartbeats } from "../server/heartbeats.ts";
import { startServer } from "../server/start-server.ts";
import { webhookRoute } from "../server/webhook-route.ts";
import { openStore } from "../store/open-store.ts";
import { openSecretStore } from "../store/secret-store.ts";
import { lockService } from "../store/service-lock.ts";
import { trimJobLogs } from "../store/trim-job-logs.ts";
import { greetGitHub } from "./greet-github.ts";

export type ServiceOptions = {
  readonly config: ServiceConfig;
  /** For the database, the logs, the socket; of one service only. */
  readonly storeFolder: string;
  /** Berth's own, for what is cached. */
  readonly stateFolder: string;
  readonly hosts: readonly HostPlaces[];
  readonly env: { readonly [name: string]: string | undefined };
  readonly version: string;
  readonly log: Log;
  /** Keeps a value out of the log from now on. */
  hide(secret: string): void;
  /** Gives the start up, as long as it is not done. */
  readonly starting?: AbortSignal;
};

/** A service that runs. Disposing of it stops its loops; jobs that run are left to the next one. */
export type Service = AsyncDisposable & {
  /** `http://HOST:PORT` */
  readonly url: string;
  /** How many jobs run now. */
  running(): number;
  /** Starts no new jobs from now on. */
  drain(): void;
  /** Takes another configuration for what begins from now on. */
  reload(config: ServiceConfig): void;
};

/** With what a silent one is given to answer: a host that is gone is closed within 30 s. */
const PROBE_EVERY_MS = 20_000;
const REAP_EVERY_MS = 60_000;
const TRIM_EVERY_MS = 3_600_000;
/** A probe may wait for a driver, and make the job image. */
const LOOP_LIMIT_MS = 15 * 60_000;
/** GitHub asks for a second between requests that change something; a server of one's own does not. */
const GITHUB_WRITE_GAP_MS = 1000;

/**
 * Starts everything that `berth serve` is, in the order in which each stands on the one before. Once this resolves jobs are taken: hosts have
 * been looked at, and what an earlier life left is taken up.
 *
 * @throws {BerthError} `STORE_UNUSABLE`, `PORT_IN_USE`, `GITHUB_REFUSED`; `HOST_UNUSABLE` when no host can run jobs, and none of them is over SSH.
 */
export async function openService(options: ServiceOptions): Promise<Service> {
  const { storeFolder, stateFolder, hosts, env, version, log } = options;
  let config = options.config;
  let claim: Claim = createClaim(config);
  const stopping = new AbortController();
  const { signal } = stopping;
  await using opened = new AsyncDisposableStack();
  opened.use(await lockService(storeFolder));
  const store = opened.use(await openStore(storeFolder));
  await reapLeases({ store, log });
  const scheduler = await openScheduler({ store: store.leases, hosts: [], limits: config.limits });
  const heartbeats = createHeartbeats();
  const app = opened.use(openGitHubApp({ ...appOptions(config), env, log }));
  const hostOf = (name: string) => hosts.find((host) => host.name === name);
  const isBusy = (jobId: string) => controls?.get(jobId) !== undefined || keptJobs.has(jobId);
  let controls: { get(jobId: string): unknown } | undefined;
  const hostWatch = opened.use(
    watchHosts(hosts, {
      ...{ scheduler, store: store.hosts, log },
      async beforeOpen(host) {
        await freeLostLeases({ scheduler, hostOf, log }, host.name);
        // At the start nobody has come back to what runs yet.
        if (controls !== undefined) await reapRemains([host], { store, isBusy, log });
      },
    }),
  );
  const starting = AbortSignal.any([signal, ...(options.starting ? [options.starting] : [])]);
  await greetGitHub({ ...appOptions(config), env, log });
  await hostWatch.probe(starting);
  starting.throwIfAborted();
  mustHaveHost(scheduler.hosts(), { mayComeBack: hosts.some(({ onChange }) => onChange) });

  const keptJobs: KeptJobs = opened.use(
    new KeptJobs({
      ...{ store, scheduler, hostOf, log },
      keysOf: (job, login) => app.installation(job.installationId).userKeys(login),
      retell: (job) => fleet.retell(job),
    }),
  );
  const fleet = openFleet({
    kept: keptJobs,
    ...{ store, scheduler, storeFolder, stateFolder, version, log, signal },
    hide: options.hide,
    config: () => config,
    claim: () => claim,
    hostOf,
    doubt: (name) => hostWatch.doubt(name),
    answers: hostWatch.answers,
    goneGpus: (lease) => lookForGpus(lease, { hostWatch, scheduler, signal }),
    retellHosts: () => hostWatch.retell(),
    installation: (id) => app.installation(id),
    secretsFor: secretsIn(storeFolder, { config: () => config, hide: options.hide }),
  });
  // Before anything is reaped.
  await keptJobs.resume();
  controls = fleet.controls;
  const api = answerService({
    ...{ store, storeFolder, fleet, kept: keptJobs, scheduler, hostWatch, hostOf },
    heartbeats: () => heartbeats.ages(),
  });
  opened.use(await startApiSocket({ path: join(storeFolder, API_SOCKET), api, log }));
  const intake = opened.use(
    startIntake({
      ...{ mode: config.intake, appId: config.github.app.id, app, store, log },
      secrets: () => config.github.webhookSecrets,
      listener: (event) => fleet.hear(event),
      heartbeat: heartbeats.add,
    }),
  );
  // What is in its hands waits for the fleet, which may never begin.
  opened.defer(() => stopping.abort());
  const server = opened.use(
    await startServer({
      listen: config.listen,
      routes: [webhookRoute(intake.receive), ...healthRoutes(() => heartbeats.ages())],
      log,
    }),
  );
  // Only once the address is ours: another service that holds it would have said so by now.
  await fleet.resume();
  const every = repeater({ log, signal, beat: (loop) => heartbeats.add(loop, LOOP_LIMIT_MS) });
  every("hosts", PROBE_EVERY_MS, () => hostWatch.probe(signal), { isDone: true });
  every("remains", REAP_EVERY_MS, async () => {
    await reapRemains(hosts, { store, isBusy, log });
    await freeLostLeases({ scheduler, hostOf, log });
  });
  every("retention", TRIM_EVERY_MS, async () => {
    const keepMs = config.store.keepLogs.ms;
    await store.forgetBefore(Date.now() - keepMs);
    const isOpen = async (execution: string) =>
      (await store.jobs.get(executionJobId(execution))) !== undefined;
    await trimJobLogs(storeFolder, { keepMs, isOpen });
  });

  opened.defer(() => stopping.abort());
  const kept = opened.move();
  return {
    url: server.url,
    running: () => fleet.controls.running,
    drain: () => hostWatch.closeAll("The service is about to stop."),
    reload(next) {
      config = next;
      claim = createClaim(next);
      scheduler.setLimits(next.limits);
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** What is wrong with some of many hosts is told, and mended while the others work. A machine over SSH may only be away for a while: jobs wait for it. */
function mustHaveHost(
  hosts: readonly HostStatus[],
  { mayComeBack }: { readonly mayComeBack: boolean },
): void {
  if (mayComeBack || hosts.some(({ capability }) => capability !== undefined)) return;
  throw new BerthError("HOST_UNUSABLE", {
    message: `No host of the configuration can run jobs.\n${hosts.map(({ closed }) => closed).join("\n")}`,
    remedy: "Start the engine there, or correct hosts in berth.yml; berth doctor looks closer.",
  });
}

function appOptions({ github }: ServiceConfig) {
  const { url: serverUrl, apiUrl, app } = github;
  const isGitHubs = /^https:\/\/api\.(github\.com|[\w-]+\.ghe\.com)$/.test(apiUrl);
  const writeGapMs = isGitHubs ? GITHUB_WRITE_GAP_MS : 0;
  return { apiUrl, serverUrl, appId: app.id, privateKey: app.privateKey, writeGapMs };
}

/** Without a key nothing can have been kept. */
function secretsIn(
  storeFolder: string,
  { config, hide }: { config(): ServiceConfig; hide(secret: string): void },
) {
  return async (of: { readonly repository: string; readonly environment?: string }) => {
    const { secretKeyFile } = config();
    if (secretKeyFile === undefined) return {};
    await using secrets = await openSecretStore(storeFolder, secretKeyFile);
    const found = await secrets.secretsFor(of);
    for (const value of Object.values(found)) hide(value);
    return found;
  };
}

/**
 * Does something now and again, until the signal is aborted. What fails is told, and done again the next time. With `isDone` it was done just
 * now.
 */
function repeater({
  log,
  signal,
  beat,
}: {
  log: Log;
  signal: AbortSignal;
  beat(loop: string): () => void;
}) {
  return (
    loop: string,
    everyMs: number,
    work: () => Promise<void>,
    { isDone = false }: { readonly isDone?: boolean } = {},
  ): void => {
    const heartbeat = beat(loop);
    const turn = async () => {
      if (isDone) await sleep(everyMs, undefined, { signal, ref: false }).catch(() => {});
      while (!signal.aborted) {
        await work().catch((error: unknown) => {
          if (!signal.aborted) log.error({ loop, error: textOf(error) }, "loop failed, goes on");
        });
        heartbeat();
        await sleep(everyMs, undefined, { signal, ref: false }).catch(() => {});
      }
    };
    void turn();
  };
}
