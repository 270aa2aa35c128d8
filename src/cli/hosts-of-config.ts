import { z } from "zod";
import { BerthError, textOf } from "../../runner/errors.ts";
import type { ResolvedHost } from "../config/resolve-hosts.ts";
import { capabilityOf } from "../hosts/capability-of.ts";
import { probeMachine } from "../hosts/probe-machine.ts";
import type { Capability } from "../profiles/capability.ts";
import type { Service } from "./ask-service.ts";
import { thisMachine } from "./this-machine.ts";

/** A host of the configuration, as far as can be said from here. */
export type KnownHost = {
  readonly name: string;
  readonly slots: number;
  /** `undefined` where nobody has looked at it. */
  readonly capability: Capability | undefined;
  /** Why it takes no jobs, or nothing can be said of it. */
  readonly closed?: string | undefined;
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
const Status = z.object({
  name: z.string(),
  capability: Proved.optional(),
  closed: z.string().optional(),
  free: Free,
});
const Statuses = z.object({ hosts: z.array(Status) });

type FromConfig = Pick<ResolvedHost, "name" | "slots" | "docker" | "ssh">;

/** Asks the service that runs, else looks at this machine's engines; nothing is changed. */
export async function hostsOfConfig(
  hosts: readonly FromConfig[],
  { service, signal }: { readonly service: Service; readonly signal: AbortSignal },
): Promise<KnownHost[]> {
  const told = await askService(service);
  return await Promise.all(
    hosts.map(async (host) => {
      const { name, slots, docker, ssh } = host;
      const status = told.find((one) => one.name === name);
      if (status !== undefined) return { ...status, slots, capability: status.capability };
      const look = ssh === undefined ? await lookAt({ name, docker }, signal) : LATER;
      return { name, slots, capability: undefined, ...look };
    }),
  );
}

const LATER = { closed: "Hosts over SSH come later." };

async function askService(service: Service): Promise<z.infer<typeof Status>[]> {
  try {
    return (await service.ask("GET", "/api/hosts", Statuses)).hosts;
  } catch (error) {
    if (error instanceof BerthError && error.code === "SERVICE_NOT_RUNNING") return [];
    throw error;
  }
}

async function lookAt(
  { name, docker }: Pick<ResolvedHost, "name" | "docker">,
  signal: AbortSignal,
): Promise<Pick<KnownHost, "closed"> & { readonly capability?: Capability }> {
  const isHere = docker === undefined || /^unix:|^\//.test(docker);
  if (!isHere) return { closed: "The service says more of it, once it runs." };
  try {
    const facts = await probeMachine({ connect: thisMachine({ docker }), signal });
    return { capability: capabilityOf(facts, name) };
  } catch (error) {
    signal.throwIfAborted();
    return { closed: textOf(error) };
  }
}
