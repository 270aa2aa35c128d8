import { z } from "zod";
import { BerthError } from "../../runner/errors.ts";
import type { GitHubApp, LoggedDelivery } from "../github/installation.ts";
import type { Log } from "../log.ts";
import type { Store } from "../store/store.ts";
import { recordOf } from "./receive-delivery.ts";

export type PollDeps = {
  readonly app: Pick<GitHubApp, "deliveries" | "deliveryPayload">;
  readonly store: Pick<Store, "deliveries" | "notes">;
  /** Called when a delivery has been kept that was not known. */
  arrived(): void;
  readonly log: Log;
  now?(): number;
};

const NOTE = "poll.deliveries";
/** How far the first poll of all looks back. */
const FIRST_LOOK_MS = 60 * 60_000;
/** The log may show one late that was sent before others. */
const OVERLAP_MS = 2 * 60_000;
const PAGE = 100;

const Mark = z.object({ id: z.string(), atMs: z.number() });
type Mark = z.infer<typeof Mark>;

/**
 * Keeps what the App's log of deliveries has and we do not, oldest first; whether GitHub could deliver it is no matter. Hands back how
 * many requests that took.
 *
 * @throws {BerthError} `GITHUB_UNREACHABLE`: what came before is kept, and the next call goes on from there.
 */
export async function pollDeliveries(deps: PollDeps): Promise<number> {
  const { app, store } = deps;
  const nowMs = (deps.now ?? Date.now)();
  const before = await readMark(store.notes);
  const sinceMs = before ? before.atMs - OVERLAP_MS : nowMs - FIRST_LOOK_MS;
  const listed = await app.deliveries(
    ({ id, deliveredAtMs }) => deliveredAtMs < sinceMs && (!before || !isAfter(id, before.id)),
  );

  let mark = before;
  let requests = 1 + Math.floor(listed.length / PAGE);
  try {
    for (const delivery of listed.toReversed()) {
      if (!(await store.deliveries.has(delivery.guid))) {
        requests += 1;
        await keep(delivery, deps);
      }
      if (!mark || isAfter(delivery.id, mark.id)) mark = markOf(delivery);
    }
  } finally {
    if (mark && mark !== before) await store.notes.set(NOTE, JSON.stringify(mark));
  }
  return requests;
}

/** Fetches a delivery's payload and keeps it; one that GitHub does not hand out is left. */
export async function keep(
  { id, guid, event, deliveredAtMs }: LoggedDelivery,
  { app, store, arrived, log }: PollDeps,
): Promise<void> {
  try {
    const payload = await app.deliveryPayload(id);
    const isNew = await store.deliveries.add(recordOf({ id: guid, event, payload }, deliveredAtMs));
    if (isNew) arrived();
  } catch (error) {
    if (!isRefused(error)) throw error;
    log.warn({ err: error, delivery: guid, event }, "delivery could not be fetched");
  }
}

/** GitHub has answered, and asking again is no use. */
export function isRefused(error: unknown): boolean {
  return error instanceof BerthError && error.code === "GITHUB_REFUSED";
}

async function readMark(notes: Pick<Store["notes"], "get">): Promise<Mark | undefined> {
  const note = await notes.get(NOTE);
  return note === undefined ? undefined : Mark.parse(JSON.parse(note));
}

function markOf({ id, deliveredAtMs }: LoggedDelivery): Mark {
  return { id, atMs: deliveredAtMs };
}

/** Ids grow with time, beyond what a number can hold. */
function isAfter(id: string, other: string): boolean {
  return BigInt(id) > BigInt(other);
}
