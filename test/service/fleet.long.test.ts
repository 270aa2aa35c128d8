import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import type { HubCheckRun } from "../../src/localhub/local-hub.ts";
import { countedBy, eachLine, type Fleet, hostOf, hostsOf, letGo, startFleet } from "./fleet.ts";
import { testRepository } from "./test-repository.ts";

const PLAIN = "plain-1";
/** Shorter than what ends a connection that nobody answers on, and longer. */
const SHORT_MS = 10_000;
const LONG_MS = 60_000;
const COUNT = `
on: push
jobs:
  count:
    runs-on: [berth, host=${PLAIN}]
    steps:
      - run: |
          until [ -e /tmp/go ]; do i=$((i + 1)); echo "line $i"; sleep 0.02; done
          echo "last $i"
`;
const isInStep2 = ({ title }: HubCheckRun) => /step 2/.test(title ?? "");

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet(
    {
      policy: { privileged: "allow" },
      profiles: {
        builds: { needs: { dind: true }, dind: { mode: "capabilities" } },
        patient: { needs: { gpu: { count: 2 } }, retries: 1 },
      },
    },
    { patienceMs: 10 * 60_000 },
  );
}, 180_000);
afterAll(async () => await fleet?.[Symbol.asyncDispose](), 60_000);

it.each([
  ["for a moment", SHORT_MS],
  ["for longer than a connection lasts", LONG_MS],
])(
  "goes on with a job whose host had no network %s: no line is lost or doubled",
  async (_, ms) => {
    const machine = fleet.machine(PLAIN);
    const repository = await testRepository(fleet.service, `cable-${ms}`, COUNT);

    await repository.push();
    const { externalId } = await repository.check("count", isInStep2);
    await machine.disconnect();
    await sleep(ms);
    await machine.reconnect();
    await fleet.service.until(async () => (await hostOf(fleet, PLAIN))?.closed === undefined);
    await letGo(machine, externalId);
    const ended = await repository.ended("count");

    expect(ended).toMatchObject({ conclusion: "success", externalId });
    const { lines, last } = await countedBy(fleet, externalId);
    expect(lines).toEqual(eachLine(last));
  },
  300_000,
);

it("comes back to a job on another machine after the service was killed", async () => {
  const machine = fleet.machine(PLAIN);
  const repository = await testRepository(fleet.service, "killed-service", COUNT);

  await repository.push();
  const { externalId } = await repository.check("count", isInStep2);
  await fleet.service.kill();
  await fleet.service.start();
  await letGo(machine, externalId);
  const ended = await repository.ended("count");

  expect(ended).toMatchObject({ conclusion: "success", externalId });
  const { lines, last } = await countedBy(fleet, externalId);
  expect(lines).toEqual(eachLine(last));
}, 120_000);

it("copies the image of Docker daemons to a host over SSH, and runs one there", async () => {
  const repository = await testRepository(
    fleet.service,
    "builds",
    `
on: push
jobs:
  build:
    runs-on: [builds, host=${PLAIN}]
    steps: [{ run: "docker info --format '{{.Containers}} containers'" }]
`,
  );

  await repository.push();
  const { conclusion, externalId } = await repository.ended("build");
  const { stdout } = await fleet.service.berth("jobs", "logs", externalId);

  expect(conclusion).toBe("success");
  expect(stdout).toContain("Copying berth-dind:");
  expect(stdout).toMatch(/0 containers$/m);
}, 300_000);

it("gives a job up whose host does not come back, runs it elsewhere, and frees its lease when the host is there again", async () => {
  const repository = await testRepository(
    fleet.service,
    "lost-for-long",
    `
on: push
jobs:
  train:
    runs-on: [patient]
    steps: [{ run: "until [ -e /tmp/go ]; do sleep 0.1; done" }]
`,
  );

  await repository.push();
  const first = await repository.check("train", isInStep2);
  const lost = (await hostsOf(fleet, { first })).first ?? "";
  const other = lost === "gpu-1" ? "gpu-2" : "gpu-1";
  await fleet.machine(lost).kill();
  const told = await repository.check("train", ({ title, summary }) =>
    /was cut at/.test(`${title} ${summary}`),
  );
  const second = await repository.check("train", (one) => one.id !== first.id && isInStep2(one));
  const whileGone = await hostOf(fleet, lost);
  await fleet.machine(lost).start();
  const back = await fleet.service.until(async () => {
    const now = await hostOf(fleet, lost);
    return now?.closed === undefined && now?.free?.gpus.length === 2 && now;
  });
  const left = await fleet.leftovers();
  await letGo(fleet.machine(other), second.externalId);
  const ended = await repository.ended("train");
  const [firstEnded] = repository.checksNamed("train");

  expect(told).toMatchObject({ id: first.id, status: "in_progress" });
  expect(await hostsOf(fleet, { second })).toEqual({ second: other });
  expect(firstEnded).toMatchObject({ conclusion: "neutral" });
  expect(whileGone?.closed).toContain(lost);
  expect(whileGone?.free?.gpus).toEqual([]);
  expect(back.free?.slots).toBe(4);
  expect(left.filter((one) => one.endsWith(` on ${lost}`))).toEqual([]);
  expect(ended).toMatchObject({ conclusion: "success" });
  await fleet.service.until(async () => (await fleet.leftovers()).length === 0);
}, 900_000);
