import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { BerthError } from "../../../runner/errors.ts";
import { DiedOf } from "../../../runner/job/job-death.ts";
import { goneGpus } from "../../../src/fleet/gone-gpus.ts";
import type { HostPlaces } from "../../../src/fleet/host-places.ts";
import { runJob } from "../../../src/fleet/run-job.ts";
import type { Capability } from "../../../src/profiles/capability.ts";
import { aJob } from "../../runner/job/job-fixture.ts";
import { aHost, gpusOf } from "../scheduler/scheduler-world.ts";
import { admitted, temporaryWorld, toldReport } from "./job-world.ts";

let world: Awaited<ReturnType<typeof temporaryWorld>>;

beforeEach(async () => {
  world = await temporaryWorld();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

it("lets a job wait again, and says for whom, while others have its GPU", async () => {
  const keeper = await world.keeper({});
  const report = toldReport();
  const why = "is claimed by build of process 7 of here";
  const withheld = [{ uuid: "GPU-here-0", why }];
  let isTaken = true;
  const claimed: string[] = [];
  const host = hostWith({
    async claimGpus({ id, lease }) {
      if (isTaken) return { taken: withheld };
      claimed.push(`${id} ${lease.gpus}`);
      return { [Symbol.asyncDispose]: async () => void claimed.push(`${world.freeGpus()} free`) };
    },
  });
  const hosts = (own: object) => [aHost("here", { slots: 2, gpus: gpusOf("here", 1), ...own })];
  const retellHosts = async () => world.scheduler.setHosts(hosts({ withheld }));
  const waiting = (reason: string) => {
    report.said.push(reason);
    if (!reason.includes(why)) return;
    isTaken = false;
    world.scheduler.setHosts(hosts({}));
  };

  const result = await runJob(
    admitted(aJob([{ run: "echo hello" }])),
    keeper,
    { ...world.deps, hostOf: () => host, retellHosts, report: { ...report, waiting } },
    new AbortController().signal,
  );

  expect(result.conclusion).toBe("success");
  expect(report.said).toEqual([
    `The GPU of here that it can use is not to be had: GPU-here-0 ${why}.`,
  ]);
  expect(keeper.record.retries).toBe(0);
  // The claim goes before the lease is given to the next.
  expect(claimed).toEqual(["7-1.a GPU-here-0", "0 free"]);
  expect(world.freeGpus()).toBe(1);
});

it("takes a job elsewhere whose container did not get its GPUs, and counts no try; not for ever", async () => {
  const keeper = await world.keeper({});
  const report = toldReport();
  let opened = 0;
  const host = hostWith({
    openPlace: () => async () => {
      opened++;
      throw new BerthError("HOST_UNUSABLE", {
        message: "nvidia-smi lists none.",
        cause: new DiedOf("gpu-mismatch"),
      });
    },
  });

  const result = await runJob(
    admitted(aJob([{ run: "echo hello" }])),
    keeper,
    { ...world.deps, hostOf: () => host, report },
    new AbortController().signal,
  );

  expect(result).toMatchObject({ conclusion: "failure", death: "gpu-mismatch" });
  expect(opened).toBe(4);
  expect(world.freeGpus()).toBe(1);
});

it("does not start a job whose GPUs cannot be claimed", async () => {
  const keeper = await world.keeper({});
  const host = hostWith({
    claimGpus: () =>
      Promise.reject(new BerthError("HOST_UNUSABLE", { message: "it is no folder." })),
  });

  const result = await runJob(
    admitted(aJob([{ run: "echo hello" }])),
    keeper,
    { ...world.deps, hostOf: () => host, report: toldReport() },
    new AbortController().signal,
  );

  expect(result).toMatchObject({ conclusion: "failure", reason: "it is no folder." });
  expect([world.freeGpus(), world.tokens.size]).toEqual([1, 0]);
});

it("takes a job elsewhere whose host was lost before it began, and counts no try", async () => {
  const keeper = await world.keeper({});
  const report = toldReport();
  const doubted: string[] = [];
  let opened = 0;
  const host = hostWith({
    openPlace: (terms) => async (request, opening) => {
      if (opened++ > 0) return await world.host.openPlace(terms)(request, opening);
      throw new BerthError("HOST_UNREACHABLE", { message: "No route to here." });
    },
  });

  const result = await runJob(
    admitted(aJob([{ run: "echo hello" }])),
    keeper,
    {
      ...{ ...world.deps, report, hostOf: () => host },
      doubt: (name) => void doubted.push(name),
      retellHosts: async () => {},
    },
    new AbortController().signal,
  );

  expect(result.conclusion).toBe("success");
  expect(doubted).toEqual(["here"]);
  expect(report.said).toEqual(["restarts"]);
  const history = (await world.store.history.ofJob("7-1.a")).map(({ message }) => message);
  expect(history).toContainEqual(expect.stringMatching(/^Goes elsewhere: .*No route to here/));
});

it("says of a job that failed that its GPU is gone, or broken, and not that its steps failed", async () => {
  const [gpu] = gpusOf("here", 1);
  const broken = { ...gpu, usable: false, reason: "has fallen off the bus" };
  const ends = [];
  for (const gpus of [[], [broken], [gpu]] as (typeof gpu)[][]) {
    const keeper = await world.keeper({ id: `7-1.a${ends.length}` });
    const capability = { ...aHost("here").capability, gpus };
    const { reason, death } = await runJob(
      admitted(aJob([{ run: "exit 1" }], { id: keeper.record.id })),
      keeper,
      {
        ...{ ...world.deps, report: toldReport() },
        goneGpus: async (lease) => goneGpus(lease, capability as Capability),
      },
      new AbortController().signal,
    );
    ends.push({ reason, death });
  }

  expect(ends).toEqual([
    { death: "gpu-lost", reason: "here has lost what was leased to the job: GPU-here-0." },
    {
      death: "gpu-lost",
      reason: "here has lost what was leased to the job: GPU-here-0 (has fallen off the bus).",
    },
    { death: undefined, reason: undefined },
  ]);
});

function hostWith(own: Partial<HostPlaces>): HostPlaces {
  return { ...world.host, ...own };
}
