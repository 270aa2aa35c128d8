import { thisOwner } from "../containers/owner.ts";
import { claimForJob, gpuAccessOf, hostGpusOf } from "../host-gpus-of.ts";
import type { HostAccess } from "../hosts/host-access.ts";
import type { RunGpus } from "./run-leases.ts";

/** GPUs of a machine for the jobs of `berth run`, which claims them there against all others. */
export function runGpus(access: HostAccess, { warn }: { warn(line: string): void }): RunGpus {
  const used = new Set<string | undefined>([undefined]);
  const gpus = hostGpusOf({
    access,
    owner: thisOwner(),
    // That of a dead owner on another engine is freed by whoever uses that one.
    engines: (signal) => Promise.all([...used].map((endpoint) => access.engine(endpoint, signal))),
    log: { warn: ({ gpu, why }, message) => warn(`${message}: ${gpu ?? ""} ${why ?? ""}`.trim()) },
  });

  return {
    async withheld(signal) {
      await gpus?.look(signal);
      return gpus?.withheld() ?? [];
    },
    async claim({ job, uuids, host, endpoint }, signal) {
      if (gpus === undefined) return { [Symbol.asyncDispose]: async () => {} };
      used.add(endpoint);
      const { shell } = access;
      const description = host.engines.find((engine) => engine.endpoint === endpoint);
      const own = { host, engine: description, shell };
      const gpuAccess = await gpuAccessOf(uuids, own, signal);
      const engine = await access.engine(endpoint, signal);
      const hold = await claimForJob(gpus, { job, uuids, engine, host }, signal);
      return { ...hold, access: gpuAccess };
    },
  };
}
