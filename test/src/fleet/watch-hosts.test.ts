import { afterEach, beforeEach, expect, it } from "@jest/globals";
import type { HostPlaces } from "../../../src/fleet/host-places.ts";
import { watchHosts } from "../../../src/fleet/watch-hosts.ts";
import type { Capability } from "../../../src/profiles/capability.ts";
import { openScheduler } from "../../../src/scheduler/open-scheduler.ts";
import { openStore } from "../../../src/store/open-store.ts";
import type { Store } from "../../../src/store/store.ts";
import { aHost } from "../scheduler/scheduler-world.ts";
import { temporaryFolder } from "../store/records.ts";
import { quietLog } from "./quiet-log.ts";

const { signal } = new AbortController();
let folder: ReturnType<typeof temporaryFolder>;
let store: Store;

beforeEach(async () => {
  folder = temporaryFolder();
  store = await openStore(folder.path);
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

function host(name: string, probe: () => Promise<Capability>): HostPlaces {
  return {
    ...{ name, slots: 2, probe },
    openPlace: () => () => Promise.reject(new Error("not asked")),
    jobsWithRemains: async () => [],
    removeJob: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}

async function capable(name: string): Promise<Capability> {
  const { capability } = aHost(name);
  if (capability === undefined) throw new Error("no capability");
  return capability;
}

async function watch(...given: (HostPlaces | { clear: (host: HostPlaces) => Promise<void> })[]) {
  const hosts = given.filter((one) => "name" in one);
  const beforeOpen = given.find((one) => "clear" in one)?.clear;
  const scheduler = await openScheduler({ store: store.leases, hosts: [], limits: {} });
  const log = quietLog();
  const watching = watchHosts(hosts, {
    ...{ scheduler, store: store.hosts, log, patienceMs: 50 },
    ...(beforeOpen && { beforeOpen }),
  });
  const closed = () =>
    Object.fromEntries(scheduler.hosts().map((one) => [one.name, one.closed ?? "open"]));
  return { watching, closed, log };
}

it("closes a host that cannot run jobs, with the reason, and opens it when it answers again", async () => {
  let problem: string | undefined = "The engine is gone.";
  const { watching, closed, log } = await watch(
    host("a", () => (problem ? Promise.reject(new Error(problem)) : capable("a"))),
    host("b", () => capable("b")),
  );

  await watching.probe(signal);
  expect(closed()).toEqual({ a: "The engine is gone.", b: "open" });
  await watching.probe(signal);
  problem = undefined;
  await watching.probe(signal);

  expect(closed()).toEqual({ a: "open", b: "open" });
  expect(log.said).toEqual(["host takes no jobs", "host answers again"]);
});

it("keeps no host closed for another that takes its time", async () => {
  const slow = Promise.withResolvers<Capability>();
  const { watching, closed } = await watch(
    host("slow", () => slow.promise),
    host("quick", () => capable("quick")),
  );

  const probing = watching.probe(signal);
  while (closed().quick !== "open") await new Promise((resolve) => setImmediate(resolve));
  slow.resolve(await capable("slow"));
  await probing;

  expect(closed()).toEqual({ slow: "open", quick: "open" });
});

it("drains a host over restarts, and knows no other", async () => {
  const first = await watch(host("a", () => capable("a")));
  expect(await first.watching.setDrained("a", true)).toBe(true);
  expect(await first.watching.setDrained("b", true)).toBe(false);

  const second = await watch(host("a", () => capable("a")));
  await second.watching.probe(signal);
  expect(second.closed().a).toMatch(/drained.*berth host undrain a/);
  await second.watching.setDrained("a", false);

  expect(second.closed()).toEqual({ a: "open" });
});

it("opens no host again once all are closed", async () => {
  const { watching, closed } = await watch(host("a", () => capable("a")));
  watching.closeAll("The service is about to stop.");

  await watching.probe(signal);
  await watching.setDrained("a", false);

  expect(closed()).toEqual({ a: "The service is about to stop." });
});

it("closes a host that hangs while others work, and says what it does when it answers", async () => {
  const answer = Promise.withResolvers<Capability>();
  const { watching, closed } = await watch(
    host("hangs", () => answer.promise),
    host("works", () => capable("works")),
  );

  await watching.probe(signal);
  const whileSilent = closed();
  await watching.probe(signal);
  answer.resolve(await capable("hangs"));
  while (closed().hangs !== "open") await new Promise((resolve) => setImmediate(resolve));

  expect(whileSilent).toEqual({ hangs: expect.stringMatching(/has not answered/), works: "open" });
});

it("looks at a host at once when something failed there", async () => {
  let isThere = true;
  const seen: boolean[] = [];
  const { watching, closed } = await watch(
    host("a", () => {
      seen.push(isThere);
      return isThere ? capable("a") : Promise.reject(new Error("No engine."));
    }),
  );
  await watching.probe(signal);
  isThere = false;
  watching.doubt("a");
  watching.doubt("none of ours");
  while (closed().a === "open") await new Promise((resolve) => setImmediate(resolve));

  expect(closed()).toEqual({ a: "No engine." });
  expect(seen).toEqual([true, false]);
});

it("closes a host whose connection is lost, and clears it before it takes jobs again", async () => {
  let told: (lost: Error | undefined) => void = () => {};
  const cleared: string[] = [];
  const one: HostPlaces = {
    ...host("a", () => capable("a")),
    onChange(listener) {
      told = listener;
      return { [Symbol.dispose]() {} };
    },
  };
  const answers = [Promise.reject(new Error("No route.")), capable("a")];
  for (const answer of answers) answer.catch(() => {});
  let isFirst = true;
  const { watching, closed } = await watch(
    {
      ...one,
      probe: () => {
        if (!isFirst) return answers.shift() ?? capable("a");
        isFirst = false;
        return capable("a");
      },
    },
    { clear: async ({ name }) => void cleared.push(`${name} ${closed().a}`) },
  );
  await watching.probe(signal);

  told(new Error("The connection to a was cut."));
  while (closed().a !== "No route.") await new Promise((resolve) => setImmediate(resolve));
  told(undefined);
  while (closed().a !== "open") await new Promise((resolve) => setImmediate(resolve));

  expect(cleared.at(-1)).toBe("a No route.");
});

it("keeps what the last probe of each host found out", async () => {
  const hosts = [host("a", () => capable("a")), host("b", () => Promise.reject(new Error("off")))];
  const scheduler = await openScheduler({ store: store.leases, hosts: [], limits: {} });
  const watch = watchHosts(hosts, { scheduler, store: store.hosts, log: quietLog() });

  await watch.probe(signal);

  expect(await store.hosts.known()).toEqual([
    { name: "a", atMs: expect.any(Number), facts: JSON.parse(JSON.stringify(await capable("a"))) },
  ]);
});

it("tells who waits for a host why it does not answer, and when it does", async () => {
  const problems = ["Login refused.", "Only 3 MiB are free.", "The clock is off."];
  const { watching, closed } = await watch(
    host("a", () => {
      const problem = problems.shift();
      return problem === undefined ? capable("a") : Promise.reject(new Error(problem));
    }),
  );
  await watching.probe(signal);
  const told: string[] = [];
  const giveUp = new AbortController();
  const inVain = watching
    .answers("a", { onProblem() {}, signal: giveUp.signal })
    .catch((reason: unknown) => reason);

  const waiting = watching.answers("a", { onProblem: (why) => told.push(why), signal });
  giveUp.abort("enough");
  await waiting;

  expect(await inVain).toBe("enough");
  expect(told).toEqual(["Login refused.", "Only 3 MiB are free.", "The clock is off."]);
  expect(closed()).toEqual({ a: "open" });
});
