import { expect, it } from "@jest/globals";
import type { PlaceRequest, SchedulableHost } from "../../../src/scheduler/scheduler.ts";
import { aHost, aRequest, GIB, gpusOf, openWorld } from "./scheduler-world.ts";

const silent: SchedulableHost = { name: "far", slots: 1, capability: undefined };
const drained = aHost("here", { closed: "it is drained" });
const gpuHost = aHost("gpu-1", { gpus: gpusOf("gpu-1", 2) });

type Asked = Partial<Omit<PlaceRequest, "need">> & { need?: Partial<PlaceRequest["need"]> };

it.each<[string, SchedulableHost[], Asked[], string]>([
  ["no host", [], [{}], "There is no host to run it on."],
  [
    "no host of that name",
    [aHost("here"), gpuHost],
    [{ need: { host: "gpu-9" } }],
    "There is no host gpu-9 to run it on; there are here and gpu-1.",
  ],
  [
    "no host that could ever fit",
    [aHost("here"), gpuHost],
    [{ need: { gpus: 4 } }],
    "No host can run it: here has no GPU; gpu-1 has 2 GPUs, and the job needs 4.",
  ],
  [
    "a host that never answered",
    [silent],
    [{}],
    "It is not known yet whether far can run it, not having answered so far.",
  ],
  [
    "a host that never answered, and others that do not fit",
    [aHost("here"), silent],
    [{ need: { gpus: 1 } }],
    "It is not known yet whether far can run it, not having answered so far; no other host can: here has no GPU.",
  ],
  ["a drained host", [drained], [{}], "here takes no jobs now: it is drained."],
  [
    "the only slot",
    [aHost("here", { slots: 1 })],
    [{}, {}],
    "The one slot of here is taken by job-0.",
  ],
  [
    "all slots, and jobs before it",
    [aHost("here", { slots: 2 }), aHost("there", { slots: 1 })],
    [{}, {}, {}, {}, {}],
    "All slots of the 2 hosts that fit are taken, by 3 jobs; 1 job is before it.",
  ],
  [
    "all GPUs",
    [gpuHost],
    [{ need: { gpus: 1 } }, { need: { gpus: 1 } }, { need: { gpus: 1 } }],
    "The 2 GPUs of gpu-1 that it can use are leased to job-0 and job-1.",
  ],
  [
    "too few GPUs",
    [gpuHost],
    [{ need: { gpus: 1 } }, { need: { gpus: 2 } }],
    "gpu-1 has 1 of the 2 GPUs free that it needs, and the others are leased to job-0.",
  ],
  [
    "CPUs",
    [aHost("here")],
    [{ need: { cpus: 6.5 } }, { need: { cpus: 2 } }],
    "here has 1.5 of its 8 CPUs unreserved, and it needs 2.",
  ],
  [
    "memory",
    [aHost("here")],
    [{ need: { memoryBytes: 30 * GIB } }, { need: { memoryBytes: 4 * GIB } }],
    "here has 2 GiB of its 32 GiB of memory unreserved, and it needs 4 GiB.",
  ],
  [
    "one full host and one that takes no jobs",
    [aHost("there", { slots: 1 }), drained],
    [{}, {}],
    "The one slot of there is taken by job-0; here takes no jobs now: it is drained.",
  ],
])("says at once that a job waits for %s", async (_, hosts, asked, reason) => {
  const world = await openWorld(hosts);

  for (const [n, request] of asked.entries()) await world.ask(aRequest(`job-${n}`, request));

  expect(world.reasons.get(`job-${asked.length - 1}`)).toBe(reason);
});

it("tells a new reason when a host is drained, and places the job when it is not any more", async () => {
  const world = await openWorld([aHost("here", { slots: 1 })]);
  await world.ask(aRequest("first"));
  const told = Promise.withResolvers<string>();
  const placed = world.scheduler.place(aRequest("second"), {
    onWait: (reason) => reason.includes("drained") && told.resolve(reason),
    signal: new AbortController().signal,
  });

  world.scheduler.setHosts([aHost("here", { slots: 1, closed: "it is drained." })]);
  expect(await told.promise).toBe("here takes no jobs now: it is drained.");

  await world.end("first");
  world.scheduler.setHosts([aHost("here", { slots: 1 })]);
  expect((await placed).record).toMatchObject({ jobId: "second", host: "here" });
});

it("counts many jobs before one in steps", async () => {
  const world = await openWorld([aHost("here", { slots: 1 })]);
  for (let n = 0; n < 14; n++) await world.ask(aRequest(`job-${n}`, { readyAtMs: n }));

  expect(world.reasons.get("job-12")).toContain("more than 10 jobs are before it");
});
