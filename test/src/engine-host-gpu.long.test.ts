import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { thisOwner } from "../../src/containers/owner.ts";
import { listClaims } from "../../src/hosts/gpu-claims.ts";
import { hostGpus } from "../../src/hosts/host-gpus.ts";
import { localShell } from "../../src/hosts/machine-shell.ts";
import { startServiceOnLocalhub, type TestService } from "../service/service-on-localhub.ts";
import { execIn } from "./containers/exec-in.ts";
import { quietLog } from "./fleet/quiet-log.ts";
import { canStartGpuMachine, type GpuMachine, startGpuMachine } from "./gpu-machine.ts";

const ONE = "GPU-11111111-2222-3333-4444-555555555555";
const TWO = "GPU-66666666-7777-8888-9999-000000000000";
const TELL = "echo ::notice::given $NVIDIA_VISIBLE_DEVICES";
const GO = "/tmp/go";
const { signal } = new AbortController();

let machine: GpuMachine;
let service: TestService;

const whereOneCanRun = (await canStartGpuMachine()) ? describe : describe.skip;

whereOneCanRun("a host with two GPUs", () => {
  beforeAll(async () => {
    machine = await startGpuMachine([ONE, TWO]);
    service = await startServiceOnLocalhub({
      files: { "a.txt": "1", ".github/workflows/ci.yml": workflow(machine.jobImage) },
      config: { hosts: [{ name: "here", slots: 4, docker: machine.endpoint }] },
      env: machine.env,
    });
  }, 180_000);
  afterAll(async () => {
    await service?.[Symbol.asyncDispose]();
    await machine?.[Symbol.asyncDispose]();
  }, 60_000);

  it("gives each job GPUs that no other has, and the one that waits those of the first that ends", async () => {
    await service.push({ "a.txt": "2" });
    const jobs = ["1", "2", "3"].map((n) => `${service.hub.runs().at(-1)?.id}-1.train.${n}`);
    const [first = "", second = "", third = ""] = jobs;

    await service.until(async () => (await running()).length === 2);
    const claimed = await claims();
    const forRun = await claimOfAnotherRun();
    const waits = await service.until(async () => {
      const { stdout } = await service.berth("jobs", "why", third);
      return stdout.includes("GPU") && stdout;
    });
    await letGo(second);
    await service.until(async () => (await running()).includes(third));
    await letGo(first);
    await letGo(third);
    await service.until(() => {
      const checks = Object.values(service.checks());
      return checks.length === 5 && checks.every(({ status }) => status === "completed");
    });

    expect(waits).toContain(
      `The 2 GPUs of here that it can use are leased to ${first} and ${second}`,
    );
    expect(claimed).toEqual([`${ONE} of ${first}`, `${TWO} of ${second}`].toSorted());
    expect(forRun.taken).toEqual([
      { uuid: ONE, why: expect.stringMatching(/^is claimed by .* of another Berth service$/) },
    ]);
    expect(await claims()).toEqual([]);
    const [ofFirst, ofSecond, ofThird] = ["train (1)", "train (2)", "train (3)"].map(given);
    expect([ofFirst, ofSecond].flat().toSorted()).toEqual([ONE, TWO]);
    expect(ofThird).toEqual(ofSecond);
  }, 120_000);

  it("hands a job's GPUs to the containers that its workflow asks for, and none to a job that asked for none", () => {
    expect(given("contained")).toEqual([`${ONE},${TWO}`, `${ONE},${TWO}`]);
    expect(given("plain")).toEqual(["void", "void"]);
  });
});

/** What is claimed on the machine of these GPUs. */
async function claims(): Promise<string[]> {
  const held = await listClaims(localShell(process.env), { signal });
  const own = held.filter(({ uuid }) => [ONE, TWO].includes(uuid));
  return own.map(({ uuid, claim }) => `${uuid} of ${claim?.job}`).toSorted();
}

/** As `berth run` would, on another engine of the machine. */
async function claimOfAnotherRun() {
  const gpus = hostGpus({
    shell: async () => localShell({ ...process.env, ...machine.env }),
    ...{ owner: thisOwner(), host: "here", log: quietLog(), hasJob: async () => undefined },
  });
  return await gpus.claim({ job: "other", engine: "other", units: [{ uuid: ONE }] }, signal);
}

/** What the steps of a job found, each once. */
function given(job: string): string[] {
  const { annotations = [] } = service.checks()[job] ?? {};
  return annotations.flatMap(({ message }) => /^given (.*)$/.exec(message)?.[1] ?? []);
}

async function running(): Promise<string[]> {
  const filters = { label: ["io.berth.kind=job"] };
  const containers = await machine.docker.listContainers({ filters });
  return containers.map(({ Labels }) => Labels["io.berth.job"] ?? "");
}

async function letGo(job: string): Promise<void> {
  await execIn(machine.docker, `berth-${job}`, ["touch", GO]);
}

function workflow(image: string): string {
  const inAnImage = `{ uses: "docker://${image}", with: { entrypoint: /bin/sh, args: '-c "${TELL}"' } }`;
  return `
on: push
jobs:
  train:
    runs-on: [self-hosted, berth, gpu=1]
    strategy: { matrix: { n: [1, 2, 3] } }
    steps:
      - run: |
          ${TELL}
          until [ -e ${GO} ]; do sleep 0.1; done
  contained:
    needs: train
    runs-on: [self-hosted, berth, gpu=2]
    container: ${image}
    steps:
      - run: ${TELL}
      - ${inAnImage}
  plain:
    needs: train
    runs-on: [self-hosted, berth]
    steps:
      - run: ${TELL}
      - ${inAnImage}
`;
}
