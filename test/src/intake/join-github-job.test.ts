import { describe, expect, it } from "@jest/globals";
import { joinGitHubJob } from "../../../src/intake/join-github-job.ts";
import type { GitHubJobRecord } from "../../../src/store/records.ts";
import { seededRandom } from "../../seeded-random.ts";

const JOB: GitHubJobRecord = {
  ...{ id: 1, repository: "octo/hello", repositoryId: 2, installationId: 3 },
  ...{ githubRunId: 4, attempt: 1, headSha: "abc", name: "build", labels: ["berth"] },
  ...{ status: "queued", createdAtMs: 1000 },
};

/** What the events of one job say, in the order in which it happened. */
const LIFE: readonly GitHubJobRecord[] = [
  { ...JOB, status: "waiting" },
  { ...JOB, status: "queued", createdAtMs: 1500 },
  { ...JOB, status: "in_progress", runnerName: "r1", createdAtMs: 1500 },
  {
    ...{ ...JOB, status: "completed", conclusion: "failure", runnerName: "r1" },
    ...{ completedBy: { login: "octocat", isBot: false }, completedAtMs: 9000 },
  },
  // A sweep saw it too, without who and with a later time; and the repository was renamed meanwhile.
  { ...JOB, status: "completed", conclusion: "failure", completedAtMs: 9500 },
  { ...JOB, status: "in_progress", repository: "octo/renamed" },
];

function joinAll(events: readonly GitHubJobRecord[]): GitHubJobRecord | undefined {
  let joined: GitHubJobRecord | undefined;
  for (const event of events) joined = joinGitHubJob(joined, event);
  return joined;
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, index) =>
    permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]),
  );
}

describe("the joined record of a job", () => {
  it("is the same for every order of its events", () => {
    const results = new Set(permutations(LIFE).map((events) => JSON.stringify(joinAll(events))));

    expect([...results].map((result) => JSON.parse(result))).toEqual([
      {
        ...{ ...JOB, status: "completed", conclusion: "failure", runnerName: "r1" },
        ...{ completedBy: { login: "octocat", isBot: false }, completedAtMs: 9000 },
      },
    ]);
  });

  it("is the same for random interleavings with doubled events", () => {
    const random = seededRandom(4);
    const expected = joinAll(LIFE);

    for (let round = 0; round < 2000; round += 1) {
      const extra = LIFE.filter(() => random() < 0.5);
      const events = [...LIFE, ...extra]
        .map((event) => ({ event, at: random() }))
        .sort((a, b) => a.at - b.at)
        .map(({ event }) => event);

      expect(joinAll(events)).toEqual(expected);
    }
  });

  it("joins what two parts know in either order and grouping", () => {
    const random = seededRandom(5);
    const draw = () => joinAll(LIFE.filter(() => random() < 0.4)) ?? JOB;

    for (let round = 0; round < 500; round += 1) {
      const [a, b, c] = [draw(), draw(), draw()];

      expect(joinGitHubJob(a, b)).toEqual(joinGitHubJob(b, a));
      expect(joinGitHubJob(joinGitHubJob(a, b), c)).toEqual(joinGitHubJob(a, joinGitHubJob(b, c)));
      expect(joinGitHubJob(a, a)).toEqual(a);
    }
  });

  it("stays completed when the queued event comes last", () => {
    const completed = { ...JOB, status: "completed", conclusion: "cancelled" } as const;

    expect(joinGitHubJob(completed, JOB)).toEqual(completed);
  });
});
