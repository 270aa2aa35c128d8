import PQueue from "p-queue";
import type { GitHubJobRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import type { IntakeEvent, IntakeListener } from "./intake-event.ts";
import { joinGitHubJob } from "./join-github-job.ts";

/** Where all that GitHub told comes together, one thing after the other: from events and from sweeps alike. */
export type Hearing = {
  /** Joins, keeps, then tells the listener, unless it has heard exactly this in this life. */
  job(told: GitHubJobRecord): Promise<void>;
  event(event: Exclude<IntakeEvent, { type: "job" }>): Promise<void>;
  /** Repositories that something was heard of, with when that was last. */
  active(): ReadonlyMap<string, ActiveRepository>;
};

export type ActiveRepository = {
  readonly repository: string;
  readonly installationId: number;
  readonly heardAtMs: number;
};

/** Jobs whose last state the listener is known to have heard; beyond that it hears one again, which is harmless. */
const MAX_REMEMBERED = 10_000;

export function openHearing(
  store: Pick<Store, "githubJobs">,
  listener: IntakeListener,
  now: () => number = Date.now,
): Hearing {
  const queue = new PQueue({ concurrency: 1 });
  const heard = new Map<number, GitHubJobRecord>();
  const active = new Map<string, ActiveRepository>();

  async function hearJob(told: GitHubJobRecord): Promise<void> {
    const { id, repository, installationId } = told;
    active.set(repository, { repository, installationId, heardAtMs: now() });
    const stored = await store.githubJobs.get(id);
    const job = joinGitHubJob(stored, told);
    if (isSame(stored, job)) {
      if (isSame(heard.get(id), job)) return;
      // An earlier life may have ended between keeping this and telling it: to the listener it is new.
      await listener({ type: "job", job });
    } else {
      await store.githubJobs.put(job);
      await listener({ type: "job", job, ...(stored && { before: stored }) });
    }
    heard.delete(id);
    heard.set(id, job);
    const [oldest] = heard.keys();
    if (heard.size > MAX_REMEMBERED && oldest !== undefined) heard.delete(oldest);
  }

  return {
    job: (told) => queue.add(() => hearJob(told)),
    event: (event) => queue.add(() => listener(event)),
    active: () => active,
  };
}

function isSame(one: GitHubJobRecord | undefined, other: GitHubJobRecord): boolean {
  return (
    one !== undefined && JSON.stringify(joinGitHubJob(undefined, one)) === JSON.stringify(other)
  );
}
