import { choosePlace, type Hold, hasPlace, type Place, shortageOn } from "./choose-place.ts";
import type { HostBook } from "./host-book.ts";
import type { HostLedger } from "./host-ledger.ts";
import type { NeedClass } from "./need-class.ts";
import { change, isLimited, type Limits } from "./shares.ts";
import { goesBefore, type WaitingJob, type WaitingLine, waitsLonger } from "./waiting-line.ts";

/**
 * How often a job may be passed by others before it becomes overdue. Priority and share hold for eight places of nine at least, and nobody waits
 * for ever. It is counted and not timed, since on a fleet that is busy all day every job has waited for long.
 */
const PASSES = 8;

/** One host in ten is kept for overdue jobs at most, and always one. */
const KEPT_SHARE = 0.1;

export type Decision = { readonly job: WaitingJob; readonly place: Place };

type Situation = {
  readonly line: WaitingLine;
  readonly hosts: HostBook;
  readonly limits: Limits;
};

/**
 * Who is placed next, and where; `undefined` when nobody can be. The caller takes the job out of the line and leases the place.
 *
 * First come overdue jobs. Of the others the first in line goes for which there is room: a big job does not keep small ones waiting. Whenever
 * that passes one which is first in line, or has waited longest, this is counted for it. Passed too often it is overdue: a host is kept for it,
 * of which others get only what it has no use for, and a place within its repository's limit. As running jobs end, its turn comes.
 */
export function decide(situation: Situation): Decision | undefined {
  const { line, hosts } = situation;
  if (line.size === 0) return undefined;
  tendOverdue(situation);
  for (const job of line.overdue) {
    const place = placeFor(job, line);
    if (place !== undefined) return { job, place };
  }
  const roomy = classesWithRoom(hosts, line);
  if (roomy.size === 0) return undefined;

  const { next, first, longest } = lookThrough(situation, roomy);
  const place = next && placeFor(next, line);
  if (next === undefined || place === undefined) return undefined;
  for (const job of new Set([first, longest])) {
    if (job === undefined || job === next) continue;
    if (job.group.needClass.options.has(place.host)) countPass(job, situation);
  }
  return { job: next, place };
}

/** Those that can be placed as things are; limits aside. */
function classesWithRoom(hosts: HostBook, line: WaitingLine): Set<NeedClass> {
  const roomy = new Set<NeedClass>();
  const holdOn = holds(line, undefined);
  for (const one of hosts.classes) {
    if (one.waiting > 0 && hasPlace(one.need, one.withRoom(), holdOn)) roomy.add(one);
  }
  return roomy;
}

type Found = {
  /** Goes next: the first in line of those for which there is room. */
  next?: WaitingJob;
  /** First in line, of those whom no limit holds up. */
  first?: WaitingJob;
  longest?: WaitingJob;
};

function lookThrough({ line, limits }: Situation, roomy: ReadonlySet<NeedClass>): Found {
  const found: Found = {};
  const ordinary = { forKept: false };
  for (const group of line.groups) {
    const [job] = group.jobs;
    if (job === undefined || !group.needClass.isPlaceable) continue;
    if (isLimited(group, limits, ordinary)) continue;
    if (found.longest === undefined || waitsLonger(job, found.longest)) found.longest = job;
    if (found.first === undefined || goesBefore(job, found.first)) found.first = job;
    if (roomy.has(group.needClass) && (found.next === undefined || goesBefore(job, found.next))) {
      found.next = job;
    }
  }
  return found;
}

function placeFor(job: WaitingJob, line: WaitingLine): Place | undefined {
  const { needClass } = job.group;
  return choosePlace(needClass.need, needClass.withRoom(), holds(line, job));
}

/** What is kept on hosts for others than `job`. */
function holds(
  { overdue }: WaitingLine,
  job: WaitingJob | undefined,
): (host: HostLedger) => Hold | undefined {
  if (overdue.length === 0) return () => undefined;
  const keptFor = new Map(overdue.map((other) => [other.kept?.machine, other]));
  return (host) => {
    const other = keptFor.get(host.machine);
    return other?.kept === undefined || other === job
      ? undefined
      : other.group.needClass.hold(other.kept);
  };
}

function countPass(job: WaitingJob, { line, hosts }: Situation): void {
  job.passes++;
  if (job.passes < PASSES || line.overdue.length >= mostKept(hosts)) return;
  line.makeOverdue(job);
  change(job.group, "kept", 1);
}

function mostKept({ openCount }: HostBook): number {
  return Math.max(1, Math.floor(openCount * KEPT_SHARE));
}

/** Keeps hosts for overdue jobs; those that no open host or a new limit keeps from running are overdue no longer. */
function tendOverdue({ line, limits }: Situation): void {
  if (line.overdue.length === 0) return;
  for (const job of [...line.overdue]) {
    const { group } = job;
    if (!group.needClass.isPlaceable || isLimited(group, limits, { forKept: true })) {
      stopKeeping(job);
      line.makeOrdinary(job);
    } else if (job.kept && !(job.kept.isOpen && group.needClass.options.has(job.kept))) {
      job.kept = undefined;
    }
  }
  for (const job of line.overdue) job.kept ??= hostToKeep(job, line);
}

/** Gives back what is kept for an overdue job, when it leaves the line or is overdue no longer. */
export function stopKeeping(job: WaitingJob): void {
  if (!job.isOverdue) return;
  job.kept = undefined;
  change(job.group, "kept", -1);
}

/** The one on which least has to end before the job can start. */
function hostToKeep({ group }: WaitingJob, { overdue }: WaitingLine): HostLedger | undefined {
  const { need, options } = group.needClass;
  const taken = new Set(overdue.map(({ kept }) => kept?.machine));
  let best: { host: HostLedger; shortage: number } | undefined;
  for (const option of options.values()) {
    const { host } = option;
    if (!host.isOpen || taken.has(host.machine)) continue;
    const shortage = shortageOn(need, option);
    if (best === undefined || shortage < best.shortage) best = { host, shortage };
  }
  return best?.host;
}
