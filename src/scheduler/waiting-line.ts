import type { HostLedger } from "./host-ledger.ts";
import type { NeedClass } from "./need-class.ts";
import type { PlaceRequest } from "./scheduler.ts";
import type { Shares } from "./shares.ts";

/** Jobs that differ in nothing but how long they wait: the first of them goes before the others, always. */
export type Group = Shares & {
  readonly key: string;
  readonly needClass: NeedClass;
  readonly priority: number;
  /** The longest wait first. */
  readonly jobs: WaitingJob[];
};

export type WaitingJob = {
  readonly request: PlaceRequest;
  readonly group: Group;
  /** Which came first, of two that wait since the same moment. */
  readonly sequence: number;
  /** How often another was placed though it was this one's turn. */
  passes: number;
  /** It has been passed too often, and goes before all that have not. */
  isOverdue: boolean;
  /** The host that is kept for it. */
  kept?: HostLedger | undefined;
};

/** Jobs that wait, in groups, so that a decision looks at few of them. */
export class WaitingLine {
  readonly #groups = new Map<string, Group>();
  /** They have left their groups; the longest overdue first. */
  readonly overdue: WaitingJob[] = [];
  #count = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get groups(): Iterable<Group> {
    return this.#groups.values();
  }

  *jobs(): Generator<WaitingJob> {
    yield* this.overdue;
    for (const { jobs } of this.#groups.values()) yield* jobs;
  }

  add(
    request: PlaceRequest,
    { key, needClass, shares }: { key: string; needClass: NeedClass; shares: Shares },
  ): WaitingJob {
    const { priority } = request;
    const ownKey = `${priority} ${shares.repository.name.toLowerCase()} ${key}`;
    const known = this.#groups.get(ownKey);
    const group = known ?? { ...shares, key: ownKey, needClass, priority, jobs: [] };
    this.#groups.set(ownKey, group);
    const job = { request, group, sequence: this.#count++, passes: 0, isOverdue: false };
    insert(group.jobs, job);
    needClass.changeWaiting(1);
    this.#size++;
    return job;
  }

  remove(job: WaitingJob): void {
    const { group, isOverdue } = job;
    take(isOverdue ? this.overdue : group.jobs, job);
    group.needClass.changeWaiting(-1);
    this.#size--;
    this.#dropIfEmpty(group);
  }

  makeOverdue(job: WaitingJob): void {
    take(job.group.jobs, job);
    job.isOverdue = true;
    this.overdue.push(job);
  }

  /** Puts it back where its wait belongs. */
  makeOrdinary(job: WaitingJob): void {
    take(this.overdue, job);
    job.isOverdue = false;
    insert(job.group.jobs, job);
  }

  #dropIfEmpty(group: Group): void {
    // An overdue job may come back to its group, which therefore stays until that one has gone.
    if (group.jobs.length > 0 || this.overdue.some((job) => job.group === group)) return;
    this.#groups.delete(group.key);
  }
}

/** Whether one job goes before another of the same right: priority, then fewest running of its repository, of its organisation, then the longest wait. */
export function goesBefore(one: WaitingJob, other: WaitingJob): boolean {
  const [a, b] = [one.group, other.group];
  if (a === b) return waitsLonger(one, other);
  if (a.priority !== b.priority) return a.priority > b.priority;
  if (a.repository.running !== b.repository.running) {
    return a.repository.running < b.repository.running;
  }
  if (a.organisation.running !== b.organisation.running) {
    return a.organisation.running < b.organisation.running;
  }
  return waitsLonger(one, other);
}

export function waitsLonger(one: WaitingJob, other: WaitingJob): boolean {
  const difference = one.request.readyAtMs - other.request.readyAtMs;
  return difference === 0 ? one.sequence < other.sequence : difference < 0;
}

/** How many of a group wait longer than a job. */
export function countLonger({ jobs }: Group, job: WaitingJob): number {
  let [from, to] = [0, jobs.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    const other = jobs[middle];
    if (other !== undefined && waitsLonger(other, job)) from = middle + 1;
    else to = middle;
  }
  return from;
}

function insert(jobs: WaitingJob[], job: WaitingJob): void {
  jobs.splice(countLonger(job.group, job), 0, job);
}

function take(jobs: WaitingJob[], job: WaitingJob): void {
  const at = jobs.indexOf(job);
  if (at !== -1) jobs.splice(at, 1);
}
