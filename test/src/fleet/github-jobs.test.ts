import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { GitHubJobs } from "../../../src/fleet/github-jobs.ts";
import { openStore } from "../../../src/store/open-store.ts";
import type { GitHubJobRecord } from "../../../src/store/records.ts";
import type { Store } from "../../../src/store/store.ts";
import { aGitHubJob, temporaryFolder } from "../store/records.ts";

const RUN = { githubRunId: 7, attempt: 1 };
let folder: ReturnType<typeof temporaryFolder>;
let store: Store;
let jobs: GitHubJobs;

beforeEach(async () => {
  folder = temporaryFolder();
  store = await openStore(folder.path);
  jobs = new GitHubJobs(store.githubJobs);
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const completed = (all: readonly GitHubJobRecord[]) =>
  all.find(({ status }) => status === "completed");

async function tell(job: GitHubJobRecord): Promise<void> {
  await store.githubJobs.put(job);
  jobs.changed(job);
}

it("finds at once what is known", async () => {
  await tell(aGitHubJob(1, { status: "completed" }));

  expect(await jobs.waitFor(RUN, completed, new AbortController().signal)).toMatchObject({ id: 1 });
});

it("wakes all who wait for a run when something of it changes, and nobody for another's", async () => {
  const { signal } = new AbortController();
  const waiting = Promise.all([1, 2].map(() => jobs.waitFor(RUN, completed, signal)));
  let isChanged = false;
  const change = jobs.nextChange({ githubRunId: 8, attempt: 1 }, signal);
  void change.then(() => (isChanged = true));

  await tell(aGitHubJob(1, { status: "queued" }));
  await tell(aGitHubJob(1, { status: "completed" }));

  expect((await waiting).map(({ id }) => id)).toEqual([1, 1]);
  expect(isChanged).toBe(false);
});

it("misses no change that comes while it looks", async () => {
  const looked = Promise.withResolvers<void>();
  const slow = new GitHubJobs({
    ...store.githubJobs,
    async ofRun(...run) {
      const found = await store.githubJobs.ofRun(...run);
      looked.resolve();
      await new Promise((resolve) => setImmediate(resolve));
      return found;
    },
  });
  const waiting = slow.waitFor(RUN, completed, new AbortController().signal);
  await looked.promise;
  const job = aGitHubJob(1, { status: "completed" });
  await store.githubJobs.put(job);
  slow.changed(job);

  expect(await waiting).toMatchObject({ id: 1 });
});

it("ends with the signal's reason", async () => {
  const stop = new AbortController();
  const waiting = jobs.waitFor(RUN, completed, stop.signal);
  stop.abort("enough");

  await expect(waiting).rejects.toBe("enough");
  await expect(jobs.nextChange(RUN, stop.signal)).rejects.toBe("enough");
});
