import { z } from "zod";
import { executionJobId } from "../../src/fleet/execution-id.ts";
import { CLAIMS_FOLDER } from "../../src/hosts/gpu-claims.ts";
import type { HubCheckRun } from "../../src/localhub/local-hub.ts";
import { type HostMachine, type HostMachineOptions, startHostMachine } from "../host-machines.ts";
import {
  type RootlessEngine,
  startRootlessEngine,
  whyNoRootlessEngine,
} from "../rootless-engine.ts";
import { startServiceOnLocalhub, type TestService } from "./service-on-localhub.ts";

export const GPUS = {
  "gpu-1": ["GPU-11111111-0000-4000-8000-000000000001", "GPU-11111111-0000-4000-8000-000000000002"],
  "gpu-2": ["GPU-22222222-0000-4000-8000-000000000001", "GPU-22222222-0000-4000-8000-000000000002"],
} as const;

const Hosts = z.object({
  hosts: z.array(
    z.object({
      name: z.string(),
      closed: z.string().optional(),
      free: z.object({ slots: z.number(), gpus: z.array(z.string()) }).optional(),
    }),
  ),
});
const Jobs = z.object({ jobs: z.array(z.object({ id: z.string(), host: z.string().optional() })) });

/** Three machines over SSH, two of them with two GPUs each; this one; and where it can have one, a rootless engine of an ordinary user of it. */
export type Fleet = AsyncDisposable & {
  readonly service: TestService;
  machine(name: string): HostMachine;
  /** The host `desk`; `undefined` where no ordinary user can have an engine. */
  readonly desk: RootlessEngine | undefined;
  /** Names of what is left of jobs on the machines that run, each with its host. */
  leftovers(): Promise<string[]>;
};

/** A service with this fleet, each of whose hosts takes four jobs. `config` goes over it. */
export async function startFleet(
  config: object,
  { patienceMs = 60_000 }: { readonly patienceMs?: number } = {},
): Promise<Fleet> {
  await using undo = new AsyncDisposableStack();
  const [machines, desk] = await Promise.all([startMachines(undo), startDesk(undo)]);
  const hosts = [
    ...machines.map((machine) => overSsh(machine)),
    { name: "here", slots: 4 },
    ...(desk ? [{ name: "desk", docker: desk.endpoint, slots: 4 }] : []),
  ];
  const service = undo.use(
    await startServiceOnLocalhub({ files: {}, config: { hosts, ...config }, patienceMs }),
  );
  // One that is still made ready keeps no other from its jobs.
  await service.until(
    async () => !/"closed"/.test((await service.berth("host", "ls", "--json")).stdout),
  );
  const machine = (name: string) => {
    const found = machines.find((one) => one.name === name);
    if (found === undefined) throw new Error(`There is no machine ${name}.`);
    return found;
  };
  const kept = undo.move();
  return {
    ...{ service, machine, desk },
    leftovers: async () => [...(await service.leftovers()), ...(await leftoversOn(machines))],
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** `berth host ls` */
export async function listHosts({ service }: Fleet) {
  const { stdout } = await service.berth("host", "ls", "--json");
  return Hosts.parse(JSON.parse(stdout)).hosts;
}

export async function hostOf(fleet: Fleet, name: string) {
  return (await listHosts(fleet)).find((host) => host.name === name);
}

/** Where each of these checks' jobs ran last. */
export async function hostsOf(
  { service }: Fleet,
  checks: { readonly [name: string]: HubCheckRun },
) {
  const { stdout } = await service.berth("jobs", "ls", "--all", "--json");
  const { jobs } = Jobs.parse(JSON.parse(stdout));
  const nameOf = ({ externalId }: HubCheckRun) =>
    jobs.find(({ id }) => id === executionJobId(externalId))?.host;
  const entries = Object.entries(checks);
  return Object.fromEntries(entries.map(([name, check]) => [name, nameOf(check) ?? "nowhere"]));
}

/** Lets a job go on that waits for this file. */
export async function letGo({ exec }: HostMachine, execution: string): Promise<void> {
  const { exitCode, stderr } = await exec(`docker exec berth-${execution} touch /tmp/go`);
  if (exitCode !== 0) throw new Error(stderr);
}

/** The numbers in the log of a job that printed `line 1`, `line 2` and so on, and in the end `last N`. */
export async function countedBy({ service }: Fleet, id: string) {
  const { stdout } = await service.berth("jobs", "logs", id);
  const [, last] = /last (\d+)$/m.exec(stdout) ?? [];
  if (last === undefined) throw new Error(`It did not end:\n${stdout.slice(-1000)}`);
  const lines = [...stdout.matchAll(/line (\d+)$/gm)].map(([, number]) => Number(number));
  return { lines, last: Number(last) };
}

/** 1 to `last`. */
export function eachLine(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}

/** Side by side; all go when one does not start. */
async function startMachines(undo: AsyncDisposableStack): Promise<HostMachine[]> {
  const wanted: HostMachineOptions[] = [
    { name: "gpu-1", gpus: GPUS["gpu-1"] },
    { name: "gpu-2", gpus: GPUS["gpu-2"] },
    { name: "plain-1" },
  ];
  const [first, ...others] = wanted.map((options) => async () => {
    return undo.use(await startHostMachine({ ...options, jobImage: true }));
  });
  // The first makes what is missing.
  const started = first ? [await first()] : [];
  return [...started, ...(await Promise.all(others.map((start) => start())))];
}

async function startDesk(undo: AsyncDisposableStack): Promise<RootlessEngine | undefined> {
  if ((await whyNoRootlessEngine()) !== undefined) return undefined;
  const desk = undo.use(await startRootlessEngine());
  await desk.loadJobImage();
  return desk;
}

/** One of them as an ordinary user, who gets at the engine through sudo. */
function overSsh({ name, address, port, identityFile, hostKey }: HostMachine) {
  const user = name === "gpu-2" ? "ubuntu" : "root";
  return { name, ssh: `${user}@${address}:${port}`, identityFile, hostKey, slots: 4 };
}

async function leftoversOn(machines: readonly HostMachine[]): Promise<string[]> {
  const all = machines.map(async ({ name, exec }) => {
    const { stdout } = await exec(`docker ps --all --filter label=io.berth.run --format '{{.Names}}'
docker network ls --filter label=io.berth.run --format '{{.Name}}'
docker volume ls --filter label=io.berth.run --format '{{.Name}}'
ls ${CLAIMS_FOLDER} 2>/dev/null`);
    return stdout
      .split("\n")
      .filter(Boolean)
      .map((left) => `${left} on ${name}`);
  });
  return (await Promise.all(all)).flat();
}
