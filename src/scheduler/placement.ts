import type { LeaseRecord } from "../store/records.ts";
import { countBefore } from "./count-before.ts";
import { type Decision, decide, stopKeeping } from "./decide.ts";
import { explainWait } from "./explain-wait.ts";
import { HostBook } from "./host-book.ts";
import { needKey } from "./need-class.ts";
import type { HostStatus, PlaceRequest, SchedulableHost } from "./scheduler.ts";
import { change, type Limits, ShareBook } from "./shares.ts";
import { type WaitingJob, WaitingLine } from "./waiting-line.ts";

/** Who waits, who has what, and who is next: all that the scheduler knows, without clock, store or promises. */
export class Placement {
  readonly #hosts = new HostBook();
  readonly #shares = new ShareBook();
  readonly #line = new WaitingLine();
  #limits: Limits;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  get waiting(): Iterable<WaitingJob> {
    return this.#line.jobs();
  }

  setHosts(hosts: readonly SchedulableHost[]): void {
    this.#hosts.setHosts(hosts);
  }

  setLimits(limits: Limits): void {
    this.#limits = limits;
  }

  add(request: PlaceRequest): WaitingJob {
    const { need, repository } = request;
    return this.#line.add(request, {
      key: needKey(need),
      needClass: this.#hosts.classOf(need),
      shares: this.#shares.of(repository),
    });
  }

  /** Takes a job out of the line. */
  remove(job: WaitingJob): void {
    stopKeeping(job);
    this.#line.remove(job);
  }

  /** The next that can be placed; it leaves the line, and its place is taken. */
  next(nowMs: number): { readonly job: WaitingJob; readonly lease: LeaseRecord } | undefined {
    const decision = decide({ line: this.#line, hosts: this.#hosts, limits: this.#limits });
    if (decision === undefined) return undefined;
    const { job } = decision;
    this.remove(job);
    const lease = leaseOf(decision, nowMs);
    this.take(lease);
    return { job, lease };
  }

  /** Counts a lease. */
  take(lease: LeaseRecord): void {
    this.#hosts.ledger(lease.host).add(lease);
    change(this.#shares.of(lease.repository), "running", 1);
  }

  giveBack(lease: LeaseRecord): void {
    this.#hosts.giveBack(lease);
    change(this.#shares.of(lease.repository), "running", -1);
  }

  explain(job: WaitingJob): string {
    const [hosts, line, limits] = [this.#hosts, this.#line, this.#limits];
    return explainWait(job, { hosts, line, limits, before: countBefore(job, line, limits) });
  }

  status(): HostStatus[] {
    return [...this.#hosts.ledgers].flatMap((ledger) => ledger.status() ?? []);
  }
}

function leaseOf({ job, place }: Decision, leasedAtMs: number): LeaseRecord {
  const { jobId, need, repository } = job.request;
  return {
    jobId,
    repository,
    host: place.host.name,
    cpus: need.cpus ?? 0,
    memoryBytes: need.memoryBytes ?? 0,
    gpus: place.gpus,
    leasedAtMs,
  };
}
