import { isLimited, type Limits, type Share } from "./shares.ts";
import { countLonger, type WaitingJob, type WaitingLine } from "./waiting-line.ts";

/**
 * How many jobs go before one, as far as it can be known: those of a higher priority, and of its own those that come first when repositories
 * take turns. Jobs that could run on none of the hosts it could run on do not count, nor those that a limit holds up.
 */
export function countBefore(job: WaitingJob, line: WaitingLine, limits: Limits): number {
  if (job.isOverdue) return line.overdue.indexOf(job);
  const { group } = job;
  let before = line.overdue.filter((other) => group.needClass.meets(other.group.needClass)).length;
  let ownBefore = countLonger(group, job);
  const others = new Map<Share, number>();
  const ordinary = { forKept: false };
  for (const other of line.groups) {
    if (other === group || other.priority < group.priority || other.jobs.length === 0) continue;
    if (!group.needClass.meets(other.needClass)) continue;
    if (isLimited(other, limits, ordinary)) continue;
    if (other.priority > group.priority) {
      before += other.jobs.length;
    } else if (other.repository === group.repository) {
      ownBefore += countLonger(other, job);
    } else {
      const waiting = others.get(other.repository) ?? 0;
      others.set(other.repository, waiting + other.jobs.length);
    }
  }
  // Its turn comes when its repository runs as many as it has jobs before this one.
  const turn = group.repository.running + ownBefore;
  for (const [{ running }, waiting] of others) {
    before += Math.min(waiting, Math.max(0, turn - running));
  }
  return before + ownBefore;
}
