import { once } from "node:events";
import { beforeAll, describe, expect, it } from "@jest/globals";
import { jobImage, makeTestImages, testEngine } from "../engine.ts";
import { ending, runBerth, startBerth } from "../src/cli/run-berth.ts";
import { objectsOfRun } from "./objects-of-run.ts";
import { repositoryOf, runOf, seen, sharedState } from "./run-jobs.ts";
import { whenPrinted } from "./when-printed.ts";

const GREETS = { run: "echo cleaned up", if: "always()" };
const STUBBORN = "trap '' INT TERM; echo begun; while :; do sleep 1; done";
const JOBS = {
  plain: { steps: ["echo begun; exec sleep 100", GREETS] },
  stubborn: {
    container: { image: "berth-test/debian", volumes: ["/scratch"] },
    steps: [STUBBORN, GREETS],
  },
};

beforeAll(() => Promise.all([jobImage(), makeTestImages()]), 120_000);

describe("nothing is left", () => {
  it("after success and failure, while gc runs all the time", async () => {
    using repository = repositoryOf({
      good: { steps: ["sleep 2", "echo on"] },
      bad: { container: "berth-test/busybox", steps: ["sleep 1; exit 1"] },
    });
    const options = { cwd: repository.root, env: sharedState() };
    const child = startBerth(["run", "--json"], options);
    const running = ending(child);
    // Of this run only: other tests, at the same time, leave things for their own gc to find.
    const run = runIn(await whenPrinted(child, "run_started"));
    while (child.exitCode === null) await runBerth(["gc", run], options);
    const ended = await running;

    expect(seen(ended, "good")).toMatchObject({ conclusion: "success" });
    expect(seen(ended, "bad")).toMatchObject({ conclusion: "failure", reason: undefined });
    expect(await objectsOfRun(runOf(ended))).toEqual([]);
  });

  it.each<{ title: string; signals: NodeJS.Signals[]; job: "plain" | "stubborn" }>([
    { title: "one Ctrl-C", signals: ["SIGINT"], job: "plain" },
    { title: "SIGTERM", signals: ["SIGTERM"], job: "plain" },
    { title: "two Ctrl-C", signals: ["SIGINT", "SIGINT"], job: "stubborn" },
  ])("after $title", async ({ signals, job }) => {
    using repository = repositoryOf({ [job]: JOBS[job] });
    const child = startBerth(["run", "--json"], { cwd: repository.root, env: sharedState() });
    const result = ending(child);
    await whenPrinted(child, '"line":"begun"');

    for (const [index, signal] of signals.entries()) {
      child.kill(signal);
      if (index === 0) await whenPrinted(child, "Cancelling");
    }
    const ended = await result;

    const isGentle = signals.length === 1;
    expect(ended.code).toBe(130);
    expect(seen(ended, job).conclusion).toBe("cancelled");
    expect(seen(ended, job).log.includes("cleaned up")).toBe(isGentle);
    expect(await objectsOfRun(runOf(ended))).toEqual([]);
  });

  it("after SIGKILL and berth gc, which knows the named volumes of authors", async () => {
    const { docker } = await testEngine();
    const volume = "berth-test-named-volume";
    const { stubborn } = JOBS;
    const container = { ...stubborn.container, volumes: ["/scratch", `${volume}:/kept`] };
    using repository = repositoryOf({ a: { ...stubborn, container } });
    const child = startBerth(["run", "--json"], { cwd: repository.root, env: sharedState() });
    const printed = await whenPrinted(child, '"line":"begun"');
    const run = runIn(printed);
    const { Mounts: mounts } = await mountsOf(run);
    child.kill("SIGKILL");
    await once(child, "exit");

    const before = await objectsOfRun(run);
    const gc = await runBerth(["gc", run, "--json"], { cwd: repository.root, env: sharedState() });

    expect(before).not.toEqual([]);
    expect(gc.code).toBe(0);
    expect(await objectsOfRun(run)).toEqual([]);
    const { Volumes: volumes } = await docker.listVolumes();
    const names = mounts.flatMap(({ Name }) => (Name === undefined ? [] : [Name]));
    const left = volumes.map(({ Name }) => Name).filter((name) => names.includes(name));
    expect(left.filter((name) => !name.startsWith("berth-node"))).toEqual([volume]);
    await docker.getVolume(volume).remove();
  });
});

async function mountsOf(run: string) {
  const { docker } = await testEngine();
  const [container] = (await objectsOfRun(run)).filter((line) => line.startsWith("container "));
  return docker.getContainer(container?.slice("container ".length) ?? "").inspect();
}

/** The id of the run that has printed this so far. */
function runIn(printed: string): string {
  return /"run":"(\d+)"/.exec(printed)?.[1] ?? "";
}
