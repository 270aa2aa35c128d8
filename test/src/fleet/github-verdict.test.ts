import { expect, it } from "@jest/globals";
import { githubVerdict, isDropped } from "../../../src/fleet/github-verdict.ts";
import type { GitHubJobRecord, RunRecord } from "../../../src/store/records.ts";
import { aGitHubJob } from "../store/records.ts";

const DAY_MS = 24 * 60 * 60_000;
const cancelled = {
  status: "completed",
  conclusion: "cancelled",
  createdAtMs: 0,
  completedAtMs: 60_000,
} as const;

it.each<[string, Partial<GitHubJobRecord>, Partial<RunRecord>, object]>([
  ["waits", { status: "queued" }, {}, { kind: "go-on" }],
  [
    "began on another runner",
    { status: "in_progress", runnerName: "old-box" },
    {},
    { kind: "taken", runner: "old-box" },
  ],
  ["began on a runner without a name", { runnerName: "" }, {}, { kind: "go-on" }],
  [
    "was cancelled by a person",
    { ...cancelled, completedBy: { login: "anna", isBot: false } },
    {},
    { kind: "cancelled", by: "anna" },
  ],
  ["was cancelled by nobody that is named", cancelled, {}, { kind: "cancelled", by: "GitHub" }],
  ["was cancelled because we asked for it", cancelled, { releasedAtMs: 1 }, { kind: "go-on" }],
  ["was dropped after a day", { ...cancelled, completedAtMs: DAY_MS }, {}, { kind: "go-on" }],
  [
    "was cancelled after another runner had it",
    { ...cancelled, runnerName: "old-box" },
    { releasedAtMs: 1 },
    { kind: "taken", runner: "old-box" },
  ],
  ["failed", { status: "completed", conclusion: "failure" }, {}, { kind: "go-on" }],
])("a job that %s", (_, job, run, verdict) => {
  expect(githubVerdict(aGitHubJob(1, job), run)).toEqual(verdict);
});

it("takes a clock that is off by minutes for a day", () => {
  expect(isDropped({ createdAtMs: 0, endedAtMs: DAY_MS - 5 * 60_000 })).toBe(true);
  expect(isDropped({ createdAtMs: 0, endedAtMs: DAY_MS - 60 * 60_000 })).toBe(false);
});
