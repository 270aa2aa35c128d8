import { randomUUID } from "node:crypto";
import type { Capability } from "../../src/profiles/capability.ts";
import { Placement } from "../../src/scheduler/placement.ts";
import type { PlaceRequest, SchedulableHost } from "../../src/scheduler/scheduler.ts";
import type { Figures } from "./figures.ts";

const HOSTS = 500;
const QUEUED = 10_000;
const GIB = 1024 ** 3;
const MODELS = ["T4", "A100", "H100"];

/** How long it takes to decide who is next when a job has ended, and to take in a further job with the reason why it waits. */
export function measureScheduler(note: Figures["note"]): void {
  const placement = new Placement({ perRepository: 100, perOrganisation: 1000 });
  placement.setHosts(Array.from({ length: HOSTS }, (_, n) => benchHost(n)));
  const running = fill(placement);
  for (let n = 0; n < QUEUED; n++) placement.add(benchRequest(n));

  const [releases, additions]: [number[], number[]] = [[], []];
  for (let n = 0; n < 3000; n++) {
    const ended = running.splice((n * 7919) % running.length, 1)[0];
    if (ended === undefined) break;
    let begun = performance.now();
    placement.giveBack(ended);
    for (let next = placement.next(0); next !== undefined; next = placement.next(0)) {
      running.push(next.lease);
    }
    releases.push(performance.now() - begun);

    begun = performance.now();
    const job = placement.add(benchRequest(QUEUED + n));
    const next = placement.next(0);
    if (next === undefined) placement.explain(job);
    else running.push(next.lease);
    additions.push(performance.now() - begun);
  }
  const what = `scheduler, ${QUEUED} queued, ${HOSTS} hosts`;
  note(`${what}: placing when a job ends, median`, quantile(releases, 0.5), "ms", 1);
  note("… p99", quantile(releases, 0.99), "ms");
  note(`${what}: a further job and its reason, median`, quantile(additions, 0.5), "ms", 1);
  note("… p99", quantile(additions, 0.99), "ms");
}

function fill(placement: Placement) {
  const running = [];
  for (let n = 0; n < 6000; n++) placement.add(benchRequest(n));
  for (let next = placement.next(0); next !== undefined; next = placement.next(0)) {
    running.push(next.lease);
  }
  return running;
}

function benchHost(n: number): SchedulableHost {
  const model = MODELS[n % 5];
  const gpus = Array.from({ length: model === undefined ? 0 : 8 }, (_, gpu) => ({
    vendor: "nvidia" as const,
    uuid: `GPU-${n}-${gpu}`,
    model: `NVIDIA ${model}`,
    memoryBytes: 16 * ((n % 5) + 1) * GIB,
    cuda: "12.4",
    mig: [],
    usable: true,
  }));
  const capability: Capability = {
    name: `host-${n}`,
    arch: n % 7 === 0 ? "arm64" : "x64",
    cpus: 64,
    memoryBytes: 256 * GIB,
    engines: [{ usable: true, rootless: n % 2 === 0, enforcesLimits: true }],
    gpus,
  };
  return { name: capability.name, slots: 8, capability };
}

/** Four kinds of jobs for each repository; 120 different needs in all. */
function benchRequest(n: number): PlaceRequest {
  const repository = n % 400;
  const kind = (repository * 7 + (Math.floor(n / 400) % 4)) % 120;
  const model = MODELS[kind % 4];
  return {
    jobId: randomUUID(),
    need: {
      gpus: model === undefined ? 0 : 1 + (kind % 3),
      ...(model !== undefined && { gpuModel: model.toLowerCase() }),
      ...(kind % 5 !== 0 && { cpus: 2 * (kind % 5), memoryBytes: 4 * (kind % 5) * GIB }),
      rootless: kind >= 60,
      dind: false,
    },
    repository: `org-${n % 20}/repository-${repository}`,
    priority: repository % 13 === 0 ? 1 : 0,
    readyAtMs: n,
  };
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
