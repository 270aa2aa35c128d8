import { z } from "zod";
import { BerthError, textOf } from "../../runner/errors.ts";
import type { ResolvedHost } from "../config/resolve-hosts.ts";
import { capabilityOf } from "../hosts/capability-of.ts";
import { openHost } from "../hosts/open-host.ts";
import type { Capability } from "../profiles/capability.ts";
import type { LastProbe } from "../store/known-hosts.ts";
import type { Service } from "./ask-service.ts";
import { hostTarget } from "./host-target.ts";
import { thisMachine } from "./this-machine.ts";

/** A host of the configuration, as far as can be said from here. */
export type KnownHost = {
  readonly name: string;
  readonly slots: number;
  /** `undefined` where nobody has looked at it. */
  readonly capability: Capability | undefined;
  /** Why it takes no jobs, or nothing can be said of it. */
  readonly closed?: string | undefined;
  /** Jobs of which a container is kept for a look; as the service has it. */
  readonly leases?: z.infer<typeof Leases> | undefined;
  /** As the service has it; `undefined` while none runs. */
  readonly free?: z.infer<typeof Free> | undefined;
};

const Free = z.object({
  slots: z.number(),
  cpus: z.number(),
  memoryBytes: z.number(),
  gpus: z.array(z.string()),
});
const Gpu = z.object({
  vendor: z.enum(["nvidia", "amd", "intel"]),
  uuid: z.string().nullable(),
  model: z.string(),
  memoryBytes: z.number().nullable(),
  cuda: z.string().nullable(),
  mig: z.array(z.object({ uuid: z.string(), profile: z.string() })),
  usable: z.boolean(),
});
const Proved = z.object({
  name: z.string(),
  arch: z.string(),
  cpus: z.number(),
  memoryBytes: z.number(),
  engines: z.array(
    z.object({ usable: z.boolean(), rootless: z.boolean(), enforcesLimits: z.boolean() }),
  ),
  gpus: z.array(Gpu),
});
const Leases = z.array(
  z.object({
    jobId: z.string(),
    lost: z
      .object({ execution: z.string(), untilMs: z.number(), isKept: z.literal(true).optional() })
      .optional(),
  }),
);
const Status = z.object({
  name: z.string(),
  capability: Proved.optional(),
  closed: z.string().optional(),
  free: Free,
  leases: Leases.default([]),
});
const Statuses = z.object({ hosts: z.array(Status) });

/**
 * Asks the service that runs, else looks at the machines; nothing is changed. Of one that cannot be looked at, what `lastProbes` has of it is told.
 */
export async function hostsOfConfig(
  hosts: readonly ResolvedHost[],
  {
    service,
    lastProbes = [],
    signal,
  }: {
    readonly service: Service | undefined;
    readonly lastProbes?: readonly LastProbe[];
    readonly signal: AbortSignal;
  },
): Promise<KnownHost[]> {
  const told = service === undefined ? [] : await askService(service);
  return await Promise.all(
    hosts.map(async (host) => {
      const { name, slots } = host;
      const status = told.find((one) => one.name === name);
      if (status !== undefined) return { ...status, slots, capability: status.capability };
      const seen = await lookAt(host, signal);
      const last = lastProbes.find((one) => one.name === name);
      return { name, slots, capability: undefined, ...fromMemory(seen, last) };
    }),
  );
}

type Seen = Pick<KnownHost, "closed"> & { readonly capability?: Capability };

function fromMemory(seen: Seen, last: LastProbe | undefined): Seen {
  const facts = Proved.safeParse(last?.facts);
  if (seen.closed === undefined || last === undefined || !facts.success) return seen;
  const at = new Date(last.atMs).toISOString().replace(/\.\d+Z$/, "Z");
  return { capability: facts.data, closed: `${seen.closed} Last seen at ${at}.` };
}

async function askService(service: Service): Promise<z.infer<typeof Status>[]> {
  try {
    return (await service.ask("GET", "/api/hosts", Statuses)).hosts;
  } catch (error) {
    if (error instanceof BerthError && error.code === "SERVICE_NOT_RUNNING") return [];
    throw error;
  }
}

async function lookAt(host: ResolvedHost, signal: AbortSignal): Promise<Seen> {
  try {
    await using access = await openHost(hostTarget(host), { connect: thisMachine({}) });
    const facts = await access.probe(signal);
    const onlyDefault = access.hasNamedEngine;
    return { capability: capabilityOf(facts, host.name, { onlyDefault }) };
  } catch (error) {
    signal.throwIfAborted();
    return { closed: textOf(error) };
  }
}
