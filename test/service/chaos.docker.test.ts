import { chmod, mkdtemp, rm, watch } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "@jest/globals";
import { z } from "zod";
import { findService } from "../../src/cli/ask-service.ts";
import { openStore } from "../../src/store/open-store.ts";
import { seededRandom } from "../seeded-random.ts";
import { chaosBlows, type PushedRun } from "./chaos-blows.ts";
import { type ChaosRun, chaosRuns } from "./chaos-runs.ts";
import { chaosVerdict } from "./chaos-verdict.ts";
import { startServiceOnLocalhub, type TestService } from "./service-on-localhub.ts";

type Chaos = {
  readonly jobs: number;
  readonly kills: number;
  /** How long the service lives at least, and by chance at most, in milliseconds. */
  readonly livesMs: readonly [number, number];
  /**
   * `spread`: some jobs end between two kills. `aimed`: the life is counted from when a step begins or ends, where much is made, kept and
   * removed; and some die before they listen.
   */
  readonly when: "spread" | "aimed";
};

const IS_LONG = process.env.BERTH_LONG !== undefined;
const SEED = Number(process.env.BERTH_SEED ?? 1);
const SAMPLE: Chaos = { jobs: 12, kills: 3, livesMs: [500, 2_500], when: "spread" };
const WHOLE: Chaos = { jobs: 300, kills: 10, livesMs: [1_000, 8_000], when: "spread" };
const STORM: Chaos = { jobs: 40, kills: 40, livesMs: [0, 800], when: "aimed" };

/** A life in which no step begins or ends is over after this. */
const IDLE_LIFE_MS = 4_000;
/** How many jobs may be open before the next push. */
const MOST_OPEN = 40;
const REPOSITORIES = ["one", "two", "three"];
const FAULTS = {
  seed: SEED,
  webhooks: { drop: 0.1, double: 0.1, reorder: 0.3, delay: 0.1, delayMs: 300 },
  api: { error: 0.03, errorAfter: 0.01, tooMany: 0.01, retryAfterSeconds: 1 },
};

it.each(IS_LONG ? [STORM, WHOLE] : [SAMPLE])(
  "ends each of $jobs jobs once and rightly, whatever is lost and though it is killed $kills times",
  async (chaos) => {
    const random = seededRandom(SEED);
    await using effects = await effectsFolder();
    await using service = await startService(effects.path);
    const { hub } = service;
    const runs: PushedRun[] = [];
    const blows = chaosBlows(service, effects.path);
    const done = new AbortController();
    hub.setFaults(FAULTS);

    const pushing = pushAll(service, planRuns(chaos, random), runs);
    const striking = strikeUntil(done.signal, () => blows.strike(runs));
    await killAgainAndAgain(service, chaos, { runs, effects: effects.path, random });
    await pushing;
    // What was dropped last is found by the sweep of the next start.
    hub.setFaults({ ...FAULTS, webhooks: {} });
    await hub.settled();
    await service.kill();
    await service.start();
    await until(() => isOver(service, runs));
    await untilQuiet(service);
    done.abort();
    await striking;

    expect(eventsOf(service)).toEqual({ hasLost: true, hasDoubled: true });
    expect(await heldByHosts(service)).toEqual([]);
    expect(await service.stop()).toBe(0);
    expect(await chaosVerdict(service, runs, effects.path)).toEqual([]);
  },
  IS_LONG ? 30 * 60_000 : 120_000,
);

function planRuns({ jobs }: Chaos, random: () => number): ChaosRun[] {
  const repositories = REPOSITORIES.map((name) => `octo/${name}`);
  return chaosRuns({ jobs, repositories, random });
}

async function pushAll(
  service: TestService,
  planned: readonly ChaosRun[],
  runs: PushedRun[],
): Promise<void> {
  for (const run of planned) {
    await until(() => openJobs(service, runs) < MOST_OPEN);
    const files = { ".github/workflows/ci.yml": run.workflow };
    const commit = { branch: run.key, message: "Change", files };
    runs.push({ ...run, headSha: await service.hub.commit(run.repository, commit) });
  }
}

async function killAgainAndAgain(
  service: TestService,
  { jobs, kills, livesMs: [least, most], when }: Chaos,
  chances: {
    readonly runs: readonly PushedRun[];
    readonly effects: string;
    readonly random: () => number;
  },
): Promise<void> {
  const { runs, effects, random } = chances;
  for (let kill = 0; kill < kills; kill += 1) {
    if (when === "spread") await until(() => ended(service, runs) >= (kill / kills) * jobs);
    else await nextChange(effects);
    await sleep(least + random() * (most - least));
    await service.kill();
    if (when === "aimed" && random() < 0.3) await killAtStart(service, random() * 1_000);
    await service.start();
  }
}

async function nextChange(folder: string): Promise<void> {
  try {
    for await (const _ of watch(folder, { signal: AbortSignal.timeout(IDLE_LIFE_MS) })) return;
  } catch {
    // Nothing has changed for so long.
  }
}

async function killAtStart(service: TestService, ms: number): Promise<void> {
  const starting = service.start().catch(() => {}); // it ended
  await sleep(ms);
  await service.kill();
  await starting;
}

async function strikeUntil(signal: AbortSignal, strike: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await strike();
    await sleep(100);
  }
}

async function effectsFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "berth-effects-"));
  await chmod(path, 0o777); // jobs have another user
  return {
    path,
    [Symbol.asyncDispose]: async () => await rm(path, { recursive: true, force: true }),
  };
}

async function startService(effects: string): Promise<TestService> {
  const container = { volumes: [{ source: effects, target: "/effects" }] };
  return await startServiceOnLocalhub({
    files: {},
    config: {
      profiles: { chaos: { container }, again: { container, retries: 1 } },
      policy: { hostPaths: [effects] },
      log: { level: "info" },
    },
    hub: {
      organizations: [{ login: "octo", repositories: REPOSITORIES.map((name) => ({ name })) }],
      rateLimit: 100_000,
    },
  });
}

/** Whether the chaos was one: what did not arrive at first, and what arrived twice. */
function eventsOf({ hub }: TestService): { hasLost: boolean; hasDoubled: boolean } {
  const [lost, arrived] = [new Set<string>(), new Set<string>()];
  let hasDoubled = false;
  for (const { guid, statusCode, isRedelivery } of hub.deliveries()) {
    if (statusCode !== 202) lost.add(guid);
    else if (arrived.has(guid) && !isRedelivery) hasDoubled = true;
    else arrived.add(guid);
  }
  return { hasLost: lost.size > 0, hasDoubled };
}

function endedChecks({ hub }: TestService) {
  return hub.checkRuns().filter(({ owner, status, conclusion }) => {
    return owner === "app" && status === "completed" && conclusion !== "neutral";
  });
}

function ended(service: TestService, runs: readonly PushedRun[]): number {
  const ours = new Set(runs.map(({ headSha }) => headSha));
  return endedChecks(service).filter(({ headSha }) => ours.has(headSha)).length;
}

function openJobs(service: TestService, runs: readonly PushedRun[]): number {
  return runs.flatMap(({ jobs }) => jobs).length - ended(service, runs);
}

function isOver(service: TestService, runs: readonly PushedRun[]): boolean {
  const isGitHubs = service.hub.runs().every(({ status }) => status === "completed");
  return isGitHubs && openJobs(service, runs) <= 0;
}

/** What follows from the end of the last job has happened, and is kept. */
async function untilQuiet({ folder }: TestService): Promise<void> {
  await using store = await openStore(join(folder, "store"));
  const isBusy = async () => {
    const rests = await Promise.all([
      store.runs.open(),
      store.jobs.unreported(),
      store.deliveries.unhandled(1),
      store.leases.all(),
    ]);
    return rests.some(({ length }) => length > 0);
  };
  const patience = AbortSignal.timeout(30_000);
  while ((await isBusy()) && !patience.aborted) await sleep(100);
}

async function heldByHosts({ folder }: TestService): Promise<unknown[]> {
  const hosts = z.object({ hosts: z.array(z.object({ leases: z.array(z.unknown()) })) });
  const service = findService(join(folder, "berth.yml"), AbortSignal.timeout(10_000));
  const answer = await service.ask("GET", "/api/hosts", hosts);
  return answer.hosts.flatMap(({ leases }) => leases);
}

/** Has no limit of its own: the whole takes minutes. */
async function until(look: () => boolean): Promise<void> {
  while (!look()) await sleep(100);
}
