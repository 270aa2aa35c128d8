import { setImmediate as turn } from "node:timers/promises";
import type { ServiceApi } from "../../../src/server/service-api.ts";
import type { JobRecord } from "../../../src/store/records.ts";

/** A service that has these jobs and the host `gpu-1`, and remembers what it was asked to do. */
export function listedJobs(jobs: readonly JobRecord[], logs: { [id: string]: string[] } = {}) {
  const asked: string[] = [];
  /** Of a log that is followed: what comes after. */
  const more = new Map<string, Promise<string[]>>();
  const find = (id: string) => {
    const found = jobs.filter((job) => job.id === id || job.id.startsWith(id));
    return jobs.find((job) => job.id === id) ?? (found.length === 1 ? found[0] : undefined);
  };

  async function* lines(
    id: string,
    { follow, signal }: { readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncIterable<string> {
    signal.addEventListener("abort", () => asked.push(`log of ${id} left`));
    yield* logs[id] ?? [];
    if (!follow) return;
    const left = new Promise<string[]>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error));
    });
    yield* await Promise.race([more.get(id) ?? turn([]), left]);
  }

  const api: ServiceApi = {
    jobs: async ({ isOpen, limit }) =>
      jobs.filter((job) => !isOpen || job.state !== "completed").slice(0, limit),
    async job(id) {
      const job = find(id);
      return job && { job, history: [{ jobId: job.id, atMs: 0, message: "queued" }] };
    },
    why: async (id) => find(id) && ["Both GPUs of gpu-1 are taken."],
    async shell(id, by) {
      asked.push(`shell ${id} by ${by}`);
      return find(id) && { refused: `${id} does not run yet.` };
    },
    async cancel(id, by) {
      asked.push(`cancel ${id} by ${by}`);
      return find(id)?.state !== "completed";
    },
    log: async (id, options) => (id in logs ? lines(id, options) : undefined),
    async hosts() {
      const free = { slots: 1, cpus: 1, memoryBytes: 1, gpus: [] };
      return [{ name: "gpu-1", slots: 1, capability: undefined, leases: [], free }];
    },
    async setDrained(host, isDrained) {
      asked.push(`${isDrained ? "drain" : "undrain"} ${host}`);
      return host === "gpu-1";
    },
    heartbeats: () => [{ loop: "intake", ageMs: 5, limitMs: 10 }],
  };
  return { api, asked, more };
}

export function listedJob(id: string, facts: Partial<JobRecord> = {}): JobRecord {
  return {
    ...{ id, runId: "1-1", repository: "octo/hello", installationId: 1, name: "Build" },
    ...{ labels: ["berth"], headSha: "0".repeat(40), state: "queued", retries: 0 },
    ...{ isReported: false, createdAtMs: 0 },
    ...facts,
  };
}
