import { afterAll, beforeAll, expect, it } from "@jest/globals";
import type { HubCheckRun } from "../../src/localhub/local-hub.ts";
import {
  countedBy,
  eachLine,
  type Fleet,
  GPUS,
  hostOf,
  hostsOf,
  letGo,
  listHosts,
  startFleet,
} from "./fleet.ts";
import { type TestRepository, testRepository } from "./test-repository.ts";

const PLAIN = "plain-1";
const HOST_OF = new Map(
  Object.entries(GPUS).flatMap(([host, uuids]) => uuids.map((uuid) => [uuid as string, host])),
);

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({
    policy: { privileged: "allow" },
    profiles: {
      builds: { needs: { dind: true }, dind: { mode: "capabilities" } },
      patient: { needs: { gpu: { count: 2 } }, retries: 1 },
    },
  });
}, 180_000);
afterAll(async () => await fleet?.[Symbol.asyncDispose](), 60_000);

it("lists all of its hosts, and what is free there", async () => {
  const all = await listHosts(fleet);
  const { stdout } = await fleet.service.berth("host", "ls");

  expect(all).toEqual([
    { name: "gpu-1", free: { slots: 4, gpus: GPUS["gpu-1"] } },
    { name: "gpu-2", free: { slots: 4, gpus: GPUS["gpu-2"] } },
    { name: PLAIN, free: { slots: 4, gpus: [] } },
    { name: "here", free: { slots: 4, gpus: [] } },
    ...(fleet.desk ? [{ name: "desk", free: { slots: 4, gpus: [] } }] : []),
  ]);
  expect(stdout).toMatch(/^gpu-2 +4 of 4 free .* 2 of 2 free +takes jobs$/m);
});

it("lands each job of a workflow where what its labels ask for is", async () => {
  const repository = await testRepository(
    fleet.service,
    "lands",
    `
on: push
jobs:
  one: { runs-on: [berth, gpu], steps: [{ run: "echo ::notice::$NVIDIA_VISIBLE_DEVICES" }] }
  two: { runs-on: [berth, gpu=2], steps: [{ run: "echo ::notice::$NVIDIA_VISIBLE_DEVICES" }] }
  ${fleet.desk ? 'user: { runs-on: [berth, rootless], steps: [{ run: "echo ::notice::$(head -1 /proc/self/uid_map)" }] }' : ""}
  builds:
    runs-on: [builds, host=here]
    steps:
      - run: |
          echo content > file
          printf 'FROM scratch\\nCOPY file /\\n' > Dockerfile
          docker build --quiet --tag built .
          echo "::notice::$(docker images --quiet built | wc -l) image"
  memory:
    runs-on: [berth, mem=300m]
    steps:
      - run: echo "::notice::$(cat /sys/fs/cgroup/memory/memory.limit_in_bytes || cat /sys/fs/cgroup/memory.max)"
  plain: { runs-on: [berth], steps: [{ run: "echo ::notice::\${NVIDIA_VISIBLE_DEVICES:-none}" }] }
`,
  );

  await repository.push();
  const checks = await allEnded(repository, fleet.desk ? 6 : 5);
  const ranOn = await hostsOf(fleet, checks);
  const [one = ""] = told(checks.one);
  const [two = ""] = told(checks.two);

  expect(conclusions(checks)).toEqual(["success"]);
  expect(ranOn).toMatchObject({ one: HOST_OF.get(one), builds: "here" });
  expect(two).toBe(GPUS[ranOn.two as keyof typeof GPUS].join(","));
  // Those with GPUs are left to jobs that need some.
  expect([PLAIN, "here", "desk"]).toContain(ranOn.plain);
  expect([PLAIN, "here"]).toContain(ranOn.memory);
  expect(told(checks.builds)).toEqual(["1 image"]);
  expect(told(checks.memory)).toEqual([String(300 * 1024 ** 2)]);
  if (fleet.desk) {
    expect(ranOn.user).toBe("desk");
    expect(told(checks.user)[0]).toMatch(new RegExp(`^ *0 +${fleet.desk.uid} +1$`));
  }
}, 120_000);

it("gives eight jobs four GPUs, each of them to one at a time", async () => {
  const repository = await testRepository(
    fleet.service,
    "eight",
    `
on: push
jobs:
  train:
    runs-on: [berth, gpu]
    strategy: { matrix: { n: [1, 2, 3, 4, 5, 6, 7, 8] } }
    steps:
      - run: echo "::notice::$NVIDIA_VISIBLE_DEVICES $(date +%s%3N)"; sleep 0.5
      - run: echo "::notice::$NVIDIA_VISIBLE_DEVICES $(date +%s%3N)"
`,
  );

  await repository.push();
  const checks = await allEnded(repository, 8);
  const ranOn = await hostsOf(fleet, checks);
  const spans = Object.entries(checks).map(([name, check]) => {
    const [[uuid = "", beginMs], [last, endMs]] = told(check).map((line) => line.split(" ")) as [
      [string, string],
      [string, string],
    ];
    expect(last).toBe(uuid);
    expect(ranOn[name]).toBe(HOST_OF.get(uuid));
    return { uuid, beginMs: Number(beginMs), endMs: Number(endMs) };
  });

  expect(conclusions(checks)).toEqual(["success"]);
  for (const uuid of HOST_OF.keys()) {
    const turns = spans.filter((span) => span.uuid === uuid);
    turns.sort((a, b) => a.beginMs - b.beginMs);
    expect(turns.length).toBeGreaterThan(0);
    for (const [index, { beginMs }] of turns.entries())
      expect(beginMs).toBeGreaterThan(turns[index - 1]?.endMs ?? 0);
  }
}, 120_000);

it("goes on with a job whose SSH connection is cut, again and again: no line is lost or doubled", async () => {
  const machine = fleet.machine(PLAIN);
  const repository = await testRepository(
    fleet.service,
    "cut",
    `
on: push
jobs:
  count:
    runs-on: [berth, host=${PLAIN}]
    steps:
      - run: |
          until [ -e /tmp/go ]; do i=$((i + 1)); echo "line $i"; sleep 0.01; done
          echo "last $i"
`,
  );

  await repository.push();
  const { externalId } = await repository.check("count", ({ title }) => /step 2/.test(title ?? ""));
  for (let cuts = 0; cuts < 3; cuts++) {
    await machine.exec("pkill -KILL -f '^sshd: root'");
    await fleet.service.until(async () => (await machine.exec("pgrep -f '^sshd: root@'")).stdout);
  }
  await letGo(machine, externalId);
  const ended = await repository.ended("count");
  const { lines, last } = await countedBy(fleet, externalId);

  expect(ended).toMatchObject({ conclusion: "success", externalId });
  expect(repository.checksNamed("count")).toHaveLength(1);
  expect(lines).toEqual(eachLine(last));
}, 90_000);

it("runs a job elsewhere whose host was lost, gives the lease back, and leaves nothing there", async () => {
  const repository = await testRepository(
    fleet.service,
    "lost",
    `
on: push
jobs:
  train:
    runs-on: [patient]
    steps: [{ run: "until [ -e /tmp/go ]; do sleep 0.1; done" }]
`,
  );

  await repository.push();
  const first = await repository.check("train", ({ title }) => /step 2/.test(title ?? ""));
  const lost = (await hostsOf(fleet, { first })).first ?? "";
  const other = lost === "gpu-1" ? "gpu-2" : "gpu-1";
  await fleet.machine(lost).kill();
  const closed = await fleet.service.until(async () => (await hostOf(fleet, lost))?.closed);
  await fleet.service.berth("host", "drain", lost);
  await fleet.machine(lost).start();
  const second = await repository.check(
    "train",
    ({ id, title }) => id !== first.id && /step 2/.test(title ?? ""),
  );
  const secondHost = (await hostsOf(fleet, { second })).second;
  const whileDrained = await hostOf(fleet, lost);
  await fleet.service.berth("host", "undrain", lost);
  const again = await fleet.service.until(async () => {
    const now = await hostOf(fleet, lost);
    return now?.closed === undefined && now;
  });
  const left = await fleet.leftovers();
  await letGo(fleet.machine(other), second.externalId);
  const ended = await repository.ended("train");
  const [firstEnded] = repository.checksNamed("train");
  const show = await fleet.service.berth("jobs", "show", second.externalId);

  expect(closed).toContain(lost);
  expect(firstEnded).toMatchObject({
    status: "completed",
    conclusion: "neutral",
    title: expect.stringMatching(/the machine or its engine had gone down .* is run again/),
  });
  expect(secondHost).toBe(other);
  expect(whileDrained?.closed).toContain(`berth host undrain ${lost}`);
  expect(again.free?.gpus).toEqual(GPUS[lost as keyof typeof GPUS]);
  expect(left.filter((one) => one.endsWith(` on ${lost}`))).toEqual([]);
  expect(left).toContain(`berth-${second.externalId} on ${other}`);
  expect(ended).toMatchObject({ conclusion: "success" });
  expect(show.stdout).toMatch(/Is run again \(1 of 1\): .*gone down/);
  await fleet.service.until(async () => (await fleet.leftovers()).length === 0);
}, 120_000);

async function allEnded(repository: TestRepository, count: number) {
  return await fleet.service.until(() => {
    const checks = repository.checks();
    const all = Object.values(checks);
    return all.length === count && all.every(({ status }) => status === "completed") && checks;
  });
}

/** What its steps said in notices. */
function told(check: HubCheckRun | undefined): string[] {
  return check?.annotations.map(({ message }) => message) ?? [];
}

/** Each that there is, once. */
function conclusions(checks: { [name: string]: HubCheckRun }): unknown[] {
  return [...new Set(Object.values(checks).map(({ conclusion }) => conclusion))];
}
