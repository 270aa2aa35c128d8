import { fits } from "../profiles/fits.ts";
import type { Need } from "../profiles/need.ts";
import { formatSize } from "../profiles/size.ts";
import { freeUnits, lacking, type Option } from "./choose-place.ts";
import type { HostBook } from "./host-book.ts";
import type { HostLedger } from "./host-ledger.ts";
import type { NeedClass } from "./need-class.ts";
import { isLimited, type Limits } from "./shares.ts";
import type { WaitingJob, WaitingLine } from "./waiting-line.ts";

/** Hosts, or jobs, that are named one by one. */
const MOST_NAMED = 3;

/** Why a job waits, in a sentence. `before` is how many go before it. */
export function explainWait(
  job: WaitingJob,
  {
    hosts,
    line,
    limits,
    before,
  }: { hosts: HostBook; line: WaitingLine; limits: Limits; before: number },
): string {
  const { needClass } = job.group;
  if (needClass.options.size === 0) return whyNowhere(needClass.need, hosts);
  if (isLimited(job.group, limits, { forKept: job.isOverdue })) return whichLimit(job, limits);
  const ahead = before === 0 ? "" : `; ${describeCount(before)} before it`;
  return `${whyFull(needClass, { job, line })}${ahead}.`;
}

function whichLimit({ group, isOverdue }: WaitingJob, limits: Limits): string {
  const onlyRepository = { perRepository: limits.perRepository };
  const isRepository = isLimited(group, onlyRepository, { forKept: isOverdue });
  const [kind, { name, running }, limit = 0] = isRepository
    ? ["repository", group.repository, limits.perRepository]
    : ["organisation", group.organisation, limits.perOrganisation];
  const kept = running < limit ? ", and what is left is kept for one that waits longer" : "";
  return `${running} of the ${limit} jobs run that the ${kind} ${name} may run at once${kept}.`;
}

/** No host that has answered could ever run it. */
function whyNowhere(need: Need, hosts: HostBook): string {
  const all = [...hosts.ledgers].filter(({ host }) => host !== undefined);
  const meant = all.filter(
    ({ name }) => need.host === undefined || need.host === name.toLowerCase(),
  );
  const unknown = meant.filter(({ host }) => host?.capability === undefined);
  const reasons = meant.flatMap(({ host }) =>
    host?.capability === undefined
      ? []
      : [
          fits(need, host.capability)
            .map((reason) => reason.replace(/\.$/, ""))
            .join(", and "),
        ],
  );
  if (all.length === 0) return "There is no host to run it on.";
  if (meant.length === 0) {
    return `There is no host ${need.host} to run it on; there ${are(all.length)} ${listOf(all.map(({ name }) => name))}.`;
  }
  const misfits = `${reasons.slice(0, MOST_NAMED).join("; ")}${more(reasons.length, "hosts", "do not fit either")}`;
  if (unknown.length === 0) return `No host can run it: ${misfits}.`;
  const waits = `It is not known yet whether ${listOf(unknown.map(({ name }) => name))} can run it, not having answered so far`;
  return reasons.length === 0 ? `${waits}.` : `${waits}; no other host can: ${misfits}.`;
}

/** Hosts could run it, and none can now. */
function whyFull(
  { need, options }: NeedClass,
  { job, line }: { job: WaitingJob; line: WaitingLine },
): string {
  const all = [...options.values()];
  const open = all.filter(({ host }) => host.isOpen);
  const closed = all
    .filter(({ host }) => !host.isOpen)
    .map(({ host }) => `${host.name} takes no jobs now: ${host.host?.closed?.replace(/\.$/, "")}`);
  const closedNote = `${closed.slice(0, MOST_NAMED).join("; ")}${more(closed.length, "hosts", "take none either")}`;
  if (open.length === 0) return closedNote;
  const full = open.every(({ host }) => lacking(need, host) === "slots")
    ? allSlotsTaken(open.map(({ host }) => host))
    : open
        .slice(0, MOST_NAMED)
        .map((option) => whyOn(option, { need, job, line }))
        .join("; ") + more(open.length, "hosts", "have no room either");
  return closed.length === 0 ? full : `${full}; ${closedNote}`;
}

function allSlotsTaken(hosts: readonly HostLedger[]): string {
  const jobs = hosts.reduce((sum, { leases }) => sum + leases.size, 0);
  const [only] = hosts;
  const where =
    hosts.length === 1 && only !== undefined ? only.name : `the ${hosts.length} hosts that fit`;
  return jobs === 1
    ? `The one slot of ${where} is taken by ${[...(only?.leases.keys() ?? [])].join()}`
    : `All slots of ${where} are taken, by ${jobs} jobs`;
}

function whyOn(
  option: Option,
  { need, job, line }: { need: Need; job: WaitingJob; line: WaitingLine },
): string {
  const { host, units } = option;
  const { cpus = 0, memoryBytes = 0 } = host.host?.capability ?? {};
  const lack = lacking(need, host);
  if (lack === "slots") return allSlotsTaken([host]);
  if (lack === "cpus") {
    return `${host.name} has ${Math.max(0, host.freeNanoCpus / 1e9)} of its ${cpus} CPUs unreserved, and it needs ${need.cpus}`;
  }
  if (lack === "memory") {
    const [free, total] = [Math.max(0, host.freeBytes), memoryBytes].map(formatSize);
    return `${host.name} has ${free} of its ${total} of memory unreserved, and it needs ${formatSize(need.memoryBytes ?? 0)}`;
  }
  const free = freeUnits(units, host).length;
  if (free < need.gpus) return whoHasGpus(option, { free, wanted: need.gpus });
  const keptFor = line.overdue.find(
    (other) => other !== job && other.kept?.machine === host.machine,
  );
  return keptFor === undefined
    ? `${host.name} has room for it`
    : `${keptFor.kept?.name} is kept for ${keptFor.request.jobId}, which waits longer or goes first`;
}

function whoHasGpus(
  { host, units }: Option,
  { free, wanted }: { free: number; wanted: number },
): string {
  const uuids = new Set(units.flatMap(({ uuid, gpu }) => [uuid, gpu.uuid ?? uuid]));
  const holders = [...host.machine.leases()]
    .filter(({ gpus }) => gpus.some((one) => uuids.has(one)))
    .map(({ jobId }) => jobId);
  const withheld = [...uuids].flatMap((uuid) => {
    const why = host.machine.whyWithheld(uuid);
    return why === undefined ? [] : [`${uuid} ${why}`];
  });
  const leased = holders.length === 0 ? [] : [`leased to ${listOf(holders)}`];
  const others = withheld.length === 0 ? [] : [`not to be had: ${listOf(withheld)}`];
  const who = [...leased, ...others].join(", or ");
  if (units.length === 1) return `The GPU of ${host.name} that it can use is ${who}`;
  if (free === 0) return `The ${units.length} GPUs of ${host.name} that it can use are ${who}`;
  return `${host.name} has ${free} of the ${wanted} GPUs free that it needs, and the others are ${who}`;
}

/** In steps, so that the reason of a job far back does not change with each one that ends. */
function describeCount(jobs: number): string {
  if (jobs === 1) return "1 job is";
  const step = [1000, 100, 10].find((one) => jobs > one);
  return step === undefined ? `${jobs} jobs are` : `more than ${step} jobs are`;
}

function more(count: number, noun: string, verb: string): string {
  return count <= MOST_NAMED ? "" : `; ${count - MOST_NAMED} more ${noun} ${verb}`;
}

function listOf(names: readonly string[]): string {
  const shown = names.length > MOST_NAMED + 1 ? names.slice(0, MOST_NAMED) : names;
  const rest = names.length - shown.length;
  const parts = rest === 0 ? shown : [...shown, `${rest} more`];
  return parts.length < 2 ? parts.join() : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}

const are = (count: number) => (count === 1 ? "is" : "are");
