import { expect, it } from "@jest/globals";
import { fits } from "../../../src/profiles/fits.ts";
import type { Need } from "../../../src/profiles/need.ts";
import type { PlaceRequest, SchedulableHost } from "../../../src/scheduler/scheduler.ts";
import { seededRandom } from "../../seeded-random.ts";
import { aHost, aRequest, GIB, gpusOf, openWorld } from "./scheduler-world.ts";

const ROUNDS = process.env.BERTH_LONG ? 300 : 14;
const JOBS = 150;

type World = Awaited<ReturnType<typeof openWorld>>;

it.each(Array.from({ length: ROUNDS }, (_, seed) => seed))(
  "keeps within what there is and places every job that fits, with seed %i",
  async (seed) => {
    const { random, pick, int } = choices(seed);
    let hosts = Array.from({ length: int(1, 5) }, (_, n) => randomHost(`host-${n}`, { int, pick }));
    const limits = { perRepository: int(1, 6), perOrganisation: int(3, 12) };
    let world = await openWorld(hosts, { limits });
    const requests = new Map<string, PlaceRequest>();
    const gone = new Set<string>();

    for (let n = 0; n < JOBS; ) {
      const chance = random();
      if (chance < 0.45) {
        const request = randomRequest(n++, { int, pick });
        requests.set(request.jobId, request);
        await world.ask(request);
      } else if (chance < 0.8 && world.leases.size > 0) {
        const ended = pick([...world.leases.keys()]);
        gone.add(ended);
        await world.end(ended);
      } else if (chance < 0.87 && world.reasons.size > 0) {
        const aborted = pick([...world.reasons.keys()]);
        gone.add(aborted);
        await world.abort(aborted);
      } else if (chance < 0.95) {
        const at = int(0, hosts.length - 1);
        hosts = hosts.map((host, index) => (index === at ? drainedOrNot(host) : host));
        await world.setHosts(hosts);
      } else {
        world = await restart(world, { hosts, limits, requests, gone, random });
      }
      checkBounds(world, { hosts, limits, requests });
    }

    hosts = hosts.map(({ closed: _, ...host }) => host);
    await world.setHosts(hosts);
    while (world.leases.size > 0) {
      const ended = pick([...world.leases.keys()]);
      gone.add(ended);
      await world.end(ended);
      checkBounds(world, { hosts, limits, requests });
    }

    const left = [...requests.values()].filter(({ jobId }) => !gone.has(jobId));
    const couldRun = left.filter(({ need }) => hosts.some((host) => couldFit(need, host)));
    expect(couldRun).toEqual([]);
    expect([...world.reasons.keys()].sort()).toEqual(left.map(({ jobId }) => jobId).sort());
    expect(world.store.rows.size).toBe(0);
  },
);

/** The next life: it knows the store, and is asked anew for all jobs that have not ended, in any order. */
async function restart(
  before: World,
  {
    hosts,
    limits,
    requests,
    gone,
    random,
  }: {
    hosts: readonly SchedulableHost[];
    limits: { perRepository: number; perOrganisation: number };
    requests: ReadonlyMap<string, PlaceRequest>;
    gone: ReadonlySet<string>;
    random: () => number;
  },
): Promise<World> {
  const { store } = before;
  const leased = new Map(store.rows);
  const world = await openWorld(hosts, { limits, store });
  const open = [...requests.values()].filter(({ jobId }) => !gone.has(jobId));
  for (const request of open.sort(() => random() - 0.5)) {
    await world.ask(request);
    checkBounds(world, { hosts, limits, requests });
  }
  for (const [jobId, lease] of leased) expect(world.leases.get(jobId)?.record).toEqual(lease);
  return world;
}

function checkBounds(
  { store, errors, scheduler }: World,
  {
    hosts,
    limits,
    requests,
  }: {
    hosts: readonly SchedulableHost[];
    limits: { perRepository: number; perOrganisation: number };
    requests: ReadonlyMap<string, PlaceRequest>;
  },
): void {
  const rows = [...store.rows.values()];
  const gpus = rows.flatMap((row) => row.gpus);
  expect(new Set(gpus).size).toBe(gpus.length);
  for (const { name, slots, capability } of hosts) {
    const there = rows.filter(({ host }) => host === name);
    expect(there.length).toBeLessThanOrEqual(slots);
    expect(sum(there.map(({ cpus }) => cpus))).toBeLessThanOrEqual((capability?.cpus ?? 0) + 1e-6);
    expect(sum(there.map(({ memoryBytes }) => memoryBytes))).toBeLessThanOrEqual(
      capability?.memoryBytes ?? 0,
    );
    for (const { jobId, gpus: own } of there) {
      expect(own).toHaveLength(requests.get(jobId)?.need.gpus ?? -1);
      expect(own.every((uuid) => uuid.includes(`-${name}-`))).toBe(true);
    }
  }
  const owners = rows.map(({ repository }) => repository);
  for (const owner of new Set(owners)) {
    expect(owners.filter((one) => one === owner).length).toBeLessThanOrEqual(limits.perRepository);
  }
  for (const owner of new Set(owners.map(organisation))) {
    const theirs = owners.filter((one) => organisation(one) === owner).length;
    expect(theirs).toBeLessThanOrEqual(limits.perOrganisation);
  }
  const unexpected = [...errors.values()].filter((error) => !/was cancelled/.test(String(error)));
  expect(unexpected).toEqual([]);
  expect(scheduler.hosts().flatMap(({ leases }) => leases)).toHaveLength(rows.length);
}

type Choices = Pick<ReturnType<typeof choices>, "int" | "pick">;

function choices(seed: number) {
  const random = seededRandom(seed + 1);
  const int = (least: number, most: number) => least + Math.floor(random() * (most - least + 1));
  const pick = <T>(from: readonly T[]): T => {
    const one = from[int(0, from.length - 1)];
    if (one === undefined) throw new Error("nothing to pick from");
    return one;
  };
  return { random, int, pick };
}

function randomHost(name: string, { int, pick }: Choices): SchedulableHost {
  const gpus = gpusOf(name, pick([0, 0, 1, 2, 4]), pick([16, 40]));
  const [first, ...others] = gpus;
  const mig = [1, 2, 3].map((n) => ({ uuid: `MIG-${name}-${n}`, profile: "1g.10gb" }));
  const cut = first !== undefined && int(0, 3) === 0 ? [{ ...first, mig }, ...others] : gpus;
  return aHost(name, {
    slots: int(1, 6),
    cpus: int(1, 8),
    memoryBytes: int(1, 32) * GIB,
    gpus: cut,
  });
}

function randomRequest(n: number, { int, pick }: Choices): PlaceRequest {
  const need = pick<Partial<Need>>([
    {},
    { cpus: pick([0.1, 0.3, 1, 4, 16]) },
    { memoryBytes: int(1, 20) * GIB },
    { gpus: 1 },
    { gpus: pick([1, 2, 4]), cpus: 1 },
    { gpus: 1, gpuMemoryBytes: 40 * GIB },
    { gpus: int(1, 2), mig: "1g.10gb" },
    { host: "host-1" },
  ]);
  const repository = `org-${int(0, 1)}/repository-${int(0, 3)}`;
  return aRequest(`job-${n}`, { need, repository, priority: int(-1, 1), readyAtMs: int(0, n) });
}

const drainedOrNot = ({ closed, ...host }: SchedulableHost): SchedulableHost =>
  closed === undefined ? { ...host, closed: "it is drained" } : host;
const couldFit = (need: Need, { capability }: SchedulableHost) =>
  capability !== undefined && fits(need, capability).length === 0;
const organisation = (repository: string) => repository.split("/")[0];
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
