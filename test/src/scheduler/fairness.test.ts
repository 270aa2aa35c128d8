import { expect, it } from "@jest/globals";
import { aHost, aRequest, gpusOf, openWorld } from "./scheduler-world.ts";

it("places a higher priority first, then the repository with fewest jobs running, then the longest wait", async () => {
  const world = await openWorld([aHost("here", { slots: 2 })]);
  await world.ask(aRequest("running", { repository: "acme/app" }));
  await world.ask(aRequest("other", { repository: "acme/other" }));
  await world.ask(aRequest("late", { repository: "acme/lib", readyAtMs: 2 }));
  await world.ask(aRequest("early", { repository: "acme/lib", readyAtMs: 1 }));
  await world.ask(aRequest("second", { repository: "acme/app", readyAtMs: 0 }));
  await world.ask(aRequest("urgent", { repository: "acme/app", readyAtMs: 3, priority: 1 }));

  for (const job of ["other", "urgent", "early", "late"]) await world.end(job);

  expect(world.order).toEqual(["running", "other", "urgent", "early", "late", "second"]);
});

it("starts a job that needs all GPUs of a host though small ones never stop coming", async () => {
  const world = await openWorld([aHost("gpu-1", { slots: 20, gpus: gpusOf("gpu-1", 4) })]);
  const small = (n: number) =>
    aRequest(`small-${n}`, { need: { gpus: 1 }, repository: `acme/${n % 7}`, readyAtMs: n });
  for (let n = 0; n < 4; n++) await world.ask(small(n));
  await world.ask(aRequest("big", { need: { gpus: 4 }, readyAtMs: 5 }));

  let ended = 0;
  for (; ended < 100 && !world.leases.has("big"); ended++) {
    await world.ask(small(ended + 10));
    await world.end(world.leases.keys().next().value ?? "");
  }

  // Passed eight times, then kept a host of which four jobs have to end.
  expect(ended).toBeLessThanOrEqual(8 + 4);
});

it("gives others what the job that a host is kept for has no use for", async () => {
  const world = await openWorld([aHost("gpu-1", { slots: 20, gpus: gpusOf("gpu-1", 2) })]);
  await world.ask(aRequest("first", { need: { gpus: 1 } }));
  await world.ask(aRequest("big", { need: { gpus: 2 }, readyAtMs: 1 }));
  for (let n = 0; n < 8; n++) {
    await world.ask(aRequest(`n-${n}`, { need: { gpus: 1 }, readyAtMs: 2 }));
    await world.end(`n-${n}`);
  }

  await world.ask(aRequest("small", { need: { gpus: 1 }, readyAtMs: 3 }));
  await world.ask(aRequest("plain", { readyAtMs: 4 }));

  expect(world.leases.has("plain")).toBe(true);
  expect(world.reasons.get("small")).toContain("gpu-1 is kept for big");

  await world.end("first");
  expect(world.leases.has("big")).toBe(true);
});

it("gives a host free that was kept for a job which was cancelled", async () => {
  const world = await openWorld([aHost("gpu-1", { slots: 20, gpus: gpusOf("gpu-1", 2) })]);
  await world.ask(aRequest("first", { need: { gpus: 1 } }));
  await world.ask(aRequest("big", { need: { gpus: 2 }, readyAtMs: 1 }));
  for (let n = 0; n < 8; n++) {
    await world.ask(aRequest(`n-${n}`, { need: { gpus: 1 }, readyAtMs: 2 }));
    await world.end(`n-${n}`);
  }
  await world.ask(aRequest("small", { need: { gpus: 1 }, readyAtMs: 3 }));

  expect(world.leases.has("small")).toBe(false);
  await world.abort("big");

  expect(world.leases.has("small")).toBe(true);
});

it("places a job of the lowest priority though urgent ones never stop coming", async () => {
  const world = await openWorld([aHost("here", { slots: 1 })]);
  const urgent = (n: number) => aRequest(`urgent-${n}`, { priority: 1000, readyAtMs: n });
  await world.ask(urgent(0));
  await world.ask(aRequest("lowest", { priority: -1000 }));

  let ended = 0;
  for (; ended < 100 && !world.leases.has("lowest"); ended++) {
    await world.ask(urgent(ended + 1));
    await world.end(`urgent-${ended}`);
  }

  expect(ended).toBe(9);
});

it("lets a limit of a repository and of its organisation hold, and others pass", async () => {
  const limits = { perRepository: 1, perOrganisation: 2 };
  const world = await openWorld([aHost("here", { slots: 9 })], { limits });
  await world.ask(aRequest("app-1", { repository: "acme/app" }));
  await world.ask(aRequest("app-2", { repository: "Acme/App" }));
  await world.ask(aRequest("lib", { repository: "acme/lib" }));
  await world.ask(aRequest("doc", { repository: "acme/doc" }));
  await world.ask(aRequest("else", { repository: "other/app" }));

  expect(world.order).toEqual(["app-1", "lib", "else"]);
  expect([...world.reasons]).toEqual([
    ["app-2", "1 of the 1 jobs run that the repository acme/app may run at once."],
    ["doc", "2 of the 2 jobs run that the organisation acme may run at once."],
  ]);

  world.scheduler.setLimits({});
  await world.end("else");
  expect(world.leases.size).toBe(4);
});
