import type { GitHubApp, LoggedDelivery } from "../github/installation.ts";
import { isRefused, keep, type PollDeps } from "./poll-deliveries.ts";

export type DeliverySweepDeps = Omit<PollDeps, "app"> & {
  readonly app: Pick<GitHubApp, "deliveries" | "deliveryPayload" | "redeliver">;
};

/** Finds the deliveries that failed, and that we never got. */
export type DeliverySweep = {
  /** @throws {BerthError} `GITHUB_UNREACHABLE`: the next call begins where this one did. */
  sweep(): Promise<void>;
  /** When GitHub first tried one that it was asked to deliver again: milliseconds since 1970. */
  firstTriedAtMs(id: string): number | undefined;
};

const NOTE = "sweep.deliveries";
/** GitHub delivers again what is at most three days old. */
const LONGEST_LOOK_MS = 3 * 24 * 60 * 60_000;
/** A job waits for a runner no longer than a day, so the first sweep of all looks no further back. */
const FIRST_LOOK_MS = 24 * 60 * 60_000;
/** Between GitHub's clock and ours, and until a delivery is in the log. */
const OVERLAP_MS = 5 * 60_000;
/** Requests that one sweep may spend. */
const MOST_AT_ONCE = 100;
const MOST_REDELIVERIES = 2;

/** All attempts to deliver one event. */
type Missed = { readonly latest: LoggedDelivery; readonly firstAtMs: number };

/** What failed is asked for again; what fails so twice is fetched. */
export function createDeliverySweep(deps: DeliverySweepDeps): DeliverySweep {
  const { app, store, now = Date.now } = deps;
  let asked = new Map<string, { readonly times: number; readonly firstAtMs: number }>();

  async function sweep(): Promise<void> {
    const nowMs = now();
    const note = Number((await store.notes.get(NOTE)) ?? nowMs - FIRST_LOOK_MS);
    const sinceMs = Math.max(note, nowMs - LONGEST_LOOK_MS) - OVERLAP_MS;
    const listed = await app.deliveries(({ deliveredAtMs }) => deliveredAtMs < sinceMs);
    const missed = await findMissed(listed);
    // What is no longer missed has come, or is too old to be asked for.
    asked = new Map([...asked].filter(([id]) => missed.some(({ latest }) => latest.guid === id)));

    for (const each of missed.slice(0, MOST_AT_ONCE)) await askFor(each);
    const oldest = await firstStillMissed(missed);
    await store.notes.set(NOTE, String(oldest?.firstAtMs ?? nowMs));
  }

  /** Oldest first. */
  async function findMissed(listed: readonly LoggedDelivery[]): Promise<Missed[]> {
    const missed: Missed[] = [];
    for (const [guid, attempts] of Map.groupBy(listed, (delivery) => delivery.guid)) {
      const [latest] = attempts;
      if (!latest || attempts.some(({ isOk }) => isOk)) continue;
      if (await store.deliveries.has(guid)) continue;
      missed.push({ latest, firstAtMs: attempts.at(-1)?.deliveredAtMs ?? latest.deliveredAtMs });
    }
    return missed.toSorted((a, b) => a.firstAtMs - b.firstAtMs);
  }

  async function askFor({ latest, firstAtMs }: Missed): Promise<void> {
    const { times } = asked.get(latest.guid) ?? { times: 0 };
    if (times >= MOST_REDELIVERIES) {
      return await keep({ ...latest, deliveredAtMs: firstAtMs }, deps);
    }
    asked.set(latest.guid, { times: times + 1, firstAtMs });
    try {
      await app.redeliver(latest.id);
    } catch (error) {
      if (!isRefused(error)) throw error;
      asked.set(latest.guid, { times: MOST_REDELIVERIES, firstAtMs });
    }
  }

  async function firstStillMissed(missed: readonly Missed[]): Promise<Missed | undefined> {
    for (const each of missed) {
      if (!(await store.deliveries.has(each.latest.guid))) return each;
    }
    return undefined;
  }

  return { sweep, firstTriedAtMs: (id) => asked.get(id)?.firstAtMs };
}
