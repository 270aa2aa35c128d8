import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { thisOwner } from "../../../src/containers/owner.ts";
import { claimGpus, listClaims } from "../../../src/hosts/gpu-claims.ts";
import { type HostGpusOptions, hostGpus, unitsToClaim } from "../../../src/hosts/host-gpus.ts";
import { localShell } from "../../../src/hosts/machine-shell.ts";
import { quietLog } from "../fleet/quiet-log.ts";

const signal = new AbortController().signal;
const ONE = [{ uuid: "GPU-1" }];
let folder: string;
let shell: ReturnType<typeof localShell>;
/** Jobs that some container is left of. */
let containers: Set<string>;
let children: ChildProcess[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "berth-gpus-"));
  shell = localShell({ ...process.env, PATH: `${folder}/bin:${process.env.PATH}` });
  containers = new Set();
  children = [];
  await shell.run(
    `mkdir ${folder}/bin; printf '#!/bin/sh\\ncat ${folder}/apps\\n' > ${folder}/bin/nvidia-smi; chmod +x ${folder}/bin/nvidia-smi`,
    { signal },
  );
  await computing("");
});
afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

it("keeps two who run jobs on one machine apart, and tells each of the other", async () => {
  const service = open({ owner: "service/abc" });
  const run = open({ owner: thisOwner() });
  await using _held = await held(service.claim({ job: "7-1.a", engine: "e", units: ONE }, signal));

  const hold = await run.claim({ job: "b", engine: "e", units: ONE }, signal);

  const why = "is claimed by 7-1.a of another Berth service";
  expect(hold).toEqual({ taken: [{ uuid: "GPU-1", why }] });
  expect(run.withheld()).toEqual([{ uuid: "GPU-1", why }]);
  expect(service.withheld()).toEqual([]);
});

it("frees what a killed process had once its container is gone and nothing computes there", async () => {
  const owner = await claimOfAnother("job", ["GPU-1"]);
  containers.add("job");
  const gpus = open({});
  const mine = { job: "mine", engine: "e", units: ONE };

  const whileItLives = await gpus.claim(mine, signal);
  owner.kill("SIGKILL");
  await once(owner, "exit");
  const whileItsContainerRuns = await gpus.claim(mine, signal);
  containers.delete("job");
  await computing("GPU-1, 4711, /usr/bin/python3");
  const whileSomethingComputes = await gpus.claim(mine, signal);
  await computing("");
  await using afterwards = await held(gpus.claim(mine, signal));

  expect([whileItLives, whileItsContainerRuns, whileSomethingComputes]).toEqual([
    ...[1, 2, 3].map(() => ({
      taken: [
        { uuid: "GPU-1", why: expect.stringContaining(`claimed by job of process ${owner.pid}`) },
      ],
    })),
  ]);
  expect(afterwards).toBeDefined();
});

it("frees nothing when the driver or the engine cannot be asked", async () => {
  const owner = await claimOfAnother("job", ["GPU-1"]);
  owner.kill("SIGKILL");
  await once(owner, "exit");

  await open({ hasJob: async () => undefined }).look(signal);
  await writeFile(join(folder, "bin/nvidia-smi"), "#!/bin/sh\nexit 9\n");
  await open({}).look(signal);

  expect(await claims()).toHaveLength(1);
});

it("frees claims of a life of the service that died before it had made a container, and only its own host's", async () => {
  await open({ owner: "service/abc", host: "one" }).claim(
    { job: "a", engine: "e", units: ONE },
    signal,
  );
  await open({ owner: "service/abc", host: "two" }).claim(
    { job: "b", engine: "e", units: [{ uuid: "GPU-2" }] },
    signal,
  );

  const next = open({ owner: "service/abc", host: "one" });
  await next.look(signal);

  expect(await claims()).toMatchObject([{ uuid: "GPU-2", claim: { job: "b" } }]);
  expect(next.withheld()).toEqual([]);
});

it("has a job's GPUs still when the next life takes them again, though its container runs", async () => {
  await open({ owner: "service/abc" }).claim({ job: "a", engine: "e", units: ONE }, signal);
  containers.add("a");

  const next = open({ owner: "service/abc" });
  await next.look(signal);
  const again = await held(next.claim({ job: "a", engine: "e", units: ONE }, signal));
  expect(await claims()).toHaveLength(1);
  await again[Symbol.asyncDispose]();

  expect(await claims()).toEqual([]);
});

it("frees the claim of somebody who cannot be asked after a day", async () => {
  const claim = { id: "far/x/job", owner: "far:1:b/1/1", engine: "e", job: "job" };
  await claimGpus(shell, { claim, units: ONE, folder: join(folder, "claims"), signal });
  const gpus = open({});
  await gpus.look(signal);
  expect(await claims()).toHaveLength(1);
  await shell.run(
    `cd ${folder}/claims; old=$(readlink GPU-1 | sed 's/"sinceMs":[0-9]*/"sinceMs":1/'); rm GPU-1; ln -s "$old" GPU-1`,
    { signal },
  );

  await gpus.look(signal);

  expect(await claims()).toEqual([]);
});

it("withholds a GPU that something computes on which is of no job, and none of a job that computes", async () => {
  const gpus = open({ owner: "service/abc" });
  await using _held = await held(gpus.claim({ job: "a", engine: "e", units: ONE }, signal));
  await computing("GPU-1, 10, /usr/bin/train\nGPU-2, 20, /opt/miner\nGPU-2, 21, /opt/miner\n");

  await gpus.look(signal);

  expect(gpus.withheld()).toEqual([
    { uuid: "GPU-2", why: "is used by miner (process 20) and 1 more, of no job" },
  ]);
  await computing("");
});

it("withholds a GPU on which a process of its job is left, until that is gone", async () => {
  const gpus = open({ endingMs: 0 });
  const hold = await held(gpus.claim({ job: "a", engine: "e", units: ONE }, signal));
  await computing("GPU-1, 10, /usr/bin/train");
  await hold[Symbol.asyncDispose]();
  const after = gpus.withheld();
  await computing("");
  await gpus.look(signal);

  expect(after).toEqual([
    { uuid: "GPU-1", why: "is still used by train (process 10) after its job a has ended" },
  ]);
  expect(gpus.withheld()).toEqual([]);
  expect(await claims()).toEqual([]);
});

it("withholds a GPU that a container did not get, though it looks idle", async () => {
  const gpus = open({});
  gpus.quarantine(["GPU-1"], "was not in the container");

  await gpus.look(signal);
  const hold = await gpus.claim({ job: "a", engine: "e", units: ONE }, signal);

  expect(gpus.withheld()).toEqual([{ uuid: "GPU-1", why: "was not in the container" }]);
  expect(hold).toEqual({ taken: gpus.withheld() });
});

it("knows the GPU that a slice was cut from", () => {
  const gpus = [
    { uuid: "GPU-1", mig: [] },
    { uuid: "GPU-2", mig: [{ uuid: "MIG-1" }] },
  ];

  expect(unitsToClaim(["GPU-1", "MIG-1"], gpus)).toEqual([
    { uuid: "GPU-1" },
    { uuid: "MIG-1", gpu: "GPU-2" },
  ]);
});

function open(options: Partial<HostGpusOptions>) {
  return hostGpus({
    shell: async () => shell,
    owner: thisOwner(),
    host: "here",
    hasJob: async (_, job) => containers.has(job),
    log: quietLog(),
    folder: join(folder, "claims"),
    endingMs: 1000,
    ...options,
  });
}

async function held(claiming: ReturnType<ReturnType<typeof hostGpus>["claim"]>) {
  const hold = await claiming;
  if (hold.taken !== undefined) throw new Error(`taken: ${JSON.stringify(hold.taken)}`);
  return hold;
}

/** A process that lives until it is killed, and its claim. */
async function claimOfAnother(job: string, uuids: readonly string[]): Promise<ChildProcess> {
  const child = spawn("sleep", ["300"]);
  children.push(child);
  await once(child, "spawn");
  const { stdout } = await shell.run(`cut -d' ' -f22 /proc/${child.pid}/stat`, { signal });
  const start = thisOwner().split(":")[2]?.replace(/\d+$/, stdout.trim());
  const owner = `${hostname()}:${child.pid}:${start}`;
  const claim = { id: `${owner}/x/${job}`, owner, engine: "e", job };
  const units = uuids.map((uuid) => ({ uuid }));
  await claimGpus(shell, { claim, units, folder: join(folder, "claims"), signal });
  return child;
}

function claims() {
  return listClaims(shell, { folder: join(folder, "claims"), signal });
}

/** What `nvidia-smi` says of processes. */
async function computing(rows: string): Promise<void> {
  await writeFile(join(folder, "apps"), rows);
}

it("frees what an earlier life took for a job that did not get all it wanted in this one", async () => {
  const gpus = open({});
  const two = [{ uuid: "GPU-1" }, { uuid: "GPU-2" }];
  await using other = await held(
    open({ host: "there" }).claim({ job: "a", engine: "e", units: ONE }, signal),
  );
  const id = `${thisOwner()}/here/b`;
  const claim = { id, owner: thisOwner(), engine: "e", job: "b" };
  await claimGpus(shell, { claim, units: two.slice(1), folder: join(folder, "claims"), signal });

  const hold = await gpus.claim({ job: "b", engine: "e", units: two }, signal);
  await gpus.look(signal);

  expect(hold).toHaveProperty("taken");
  expect((await claims()).map(({ uuid }) => uuid)).toEqual(["GPU-1"]);
  expect(other).toBeDefined();
});

it("shows what others wrote on the machine without what a terminal would obey", async () => {
  await mkdir(join(folder, "claims"));
  await symlink(`\u001b[2Jgone${"x".repeat(500)}`, join(folder, "claims/GPU-1"));
  const gpus = open({});

  await gpus.look(signal);

  expect(gpus.withheld()).toEqual([
    { uuid: "GPU-1", why: expect.stringMatching(/^is set aside: \?\[2Jgonex{1,80}$/) },
  ]);
});
