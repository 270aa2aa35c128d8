import { expect, it } from "@jest/globals";
import { BerthError } from "../../../runner/errors.ts";
import { changeOrTimeout, type ReleaseDeps, releaseRun } from "../../../src/fleet/release-run.ts";
import { RunKeeper } from "../../../src/fleet/run-keeper.ts";
import type { GitHubJob } from "../../../src/github/installation.ts";
import type { RunRecord } from "../../../src/store/records.ts";
import { aRun } from "../store/records.ts";
import { quietLog } from "./quiet-log.ts";

type Job = Partial<GitHubJob>;
const queued: Job = { status: "queued", labels: ["berth"] };
const hosted: Job = { status: "in_progress", labels: ["ubuntu-latest"] };
const done: Job = { status: "completed", labels: ["ubuntu-latest"] };
const taken: Job = { status: "in_progress", labels: ["berth"], runnerName: "old-box" };

/** A run on GitHub whose jobs are listed so, one state after the other; cancelling it completes what is left. */
function onGitHub(states: readonly (readonly Job[])[], given: Partial<RunRecord> = {}) {
  const log: string[] = [];
  let [jobs = [], ...later] = states;
  let isOver = false;
  const store = { put: async (run: RunRecord) => void (run.releasedAtMs && log.push("kept")) };
  const run = new RunKeeper(
    aRun("7-1", given),
    store as unknown as ConstructorParameters<typeof RunKeeper>[1],
  );
  const stop = new AbortController();
  const isCompleted = () => isOver || jobs.every(({ status }) => status === "completed");
  const deps: ReleaseDeps = {
    githubJob: "cancel",
    isOurs: (labels) => labels.includes("berth"),
    hasHostedDependent: false,
    installation: {
      runJobs: async () => (isCompleted() ? [] : (jobs as GitHubJob[])),
      run: async () => ({ status: isCompleted() ? "completed" : "queued" }) as never,
      async cancelRun() {
        log.push("cancelled");
        isOver = true;
      },
    },
    async nextChange(signal) {
      signal.throwIfAborted();
      log.push("waited");
      await new Promise((resolve) => setImmediate(resolve));
      const [next] = later;
      later = later.slice(1);
      if (next) jobs = next;
      else if (!isCompleted()) stop.abort("never");
    },
    persist: (_, work) => work(),
    log: quietLog(),
  };
  return { run, deps, log, stop, release: () => releaseRun(run, deps, stop.signal) };
}

const cancelsOf = (log: readonly string[]) => log.filter((line) => line !== "waited");

it.each<[string, Job[][], Partial<ReleaseDeps>, Partial<RunRecord>, string[]]>([
  ["is cancelled when only ours are open", [[queued, done]], {}, {}, ["kept", "cancelled"]],
  [
    "waits for others' jobs",
    [
      [queued, hosted],
      [queued, done],
    ],
    {},
    {},
    ["kept", "cancelled"],
  ],
  ["waits for ours that others run", [[queued, taken], [queued]], {}, {}, ["kept", "cancelled"]],
  ["is left when all has ended", [[done]], {}, {}, []],
  ["is left when the configuration says so", [[queued]], { githubJob: "leave" }, {}, []],
  ["is left when others need ours", [[queued, hosted]], { hasHostedDependent: true }, {}, []],
  ["is left by a re-run", [[queued]], {}, { rerunOf: { runId: "7-1", jobs: [] } }, []],
  ["is cancelled again after a life that died", [[queued]], {}, { releasedAtMs: 1 }, ["cancelled"]],
])("GitHub's side of a run %s", async (_, states, more, given, expected) => {
  const { run, deps, log, stop } = onGitHub(states, given);

  await releaseRun(run, { ...deps, ...more }, stop.signal);

  expect(cancelsOf(log).filter((line, i, all) => line !== all[i - 1])).toEqual(expected);
});

it("remembers that it asks before it asks", async () => {
  const { release, log, run } = onGitHub([[queued]]);

  await release();

  expect(cancelsOf(log).slice(0, 2)).toEqual(["kept", "cancelled"]);
  expect(run.record.releasedAtMs).toBeGreaterThan(0);
});

it("is not over when the service stops before GitHub has answered", async () => {
  const { run, deps, stop } = onGitHub([[queued]]);
  const persist: ReleaseDeps["persist"] = async () => {
    stop.abort("stops");
    return undefined;
  };

  await expect(releaseRun(run, { ...deps, persist }, stop.signal)).rejects.toBe("stops");
});

it("lets out what GitHub refuses: a run that has ended, or is gone", async () => {
  const { run, deps, stop } = onGitHub([[queued]]);
  const refused = new BerthError("GITHUB_REFUSED", { message: "409: it is completed." });
  const cancelRun = () => Promise.reject(refused);
  const installation = { ...deps.installation, cancelRun };

  await expect(releaseRun(run, { ...deps, installation }, stop.signal)).rejects.toBe(refused);
});

it("waits for a change no longer than it is told, and for none when it is stopped", async () => {
  const stop = new AbortController();
  const never = (signal: AbortSignal) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const stays = setTimeout(() => {}, 5_000);

  await changeOrTimeout(never, { timeoutMs: 1, signal: stop.signal });
  const waiting = changeOrTimeout(never, { timeoutMs: 60_000, signal: stop.signal });
  stop.abort(new Error("stops"));

  await expect(waiting).rejects.toThrow("stops");
  clearTimeout(stays);
});
