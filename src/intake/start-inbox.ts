import { setTimeout as sleep } from "node:timers/promises";
import { BerthError, textOf } from "../../runner/errors.ts";
import type { Log } from "../log.ts";
import type { DeliveryRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";

export type InboxDeps = {
  readonly deliveries: Pick<Store["deliveries"], "unhandled" | "markHandled">;
  /** What it must remember is durable when it resolves; it may get a delivery twice. */
  handle(delivery: DeliveryRecord): Promise<void>;
  readonly log: Log;
  /** Called on each turn, at least every ten seconds. */
  heartbeat(): void;
  /** Pauses in milliseconds before a failed delivery is tried again; with the last one it is given up. */
  readonly retryAfterMs?: readonly number[];
};

/** The loop that handles kept deliveries. Disposing of it waits for the one in hand; the others are for the next life. */
export type Inbox = AsyncDisposable & {
  /** A delivery has been kept. */
  wake(): void;
  /** Resolves when nothing is left, except what failed and waits for its next try. */
  settled(): Promise<void>;
};

const BATCH = 100;
const TURN_MS = 10_000;
const STORE_PAUSE_MS = 1_000;
const RETRY_AFTER_MS = [1_000, 3_000, 9_000, 27_000, 81_000];

type Retry = { readonly tries: number; readonly dueAtMs: number };

/**
 * Handles deliveries in the order in which they came, first those that an earlier life left. One that fails is tried again later, while
 * the others go on, and is given up after some tries; one whose payload cannot be read is given up at once.
 */
export function startInbox(deps: InboxDeps): Inbox {
  const { deliveries, log } = deps;
  const retryAfterMs = deps.retryAfterMs ?? RETRY_AFTER_MS;
  const closing = new AbortController();
  const retries = new Map<string, Retry>();
  let waking = Promise.withResolvers<void>();
  let resting = Promise.withResolvers<void>();

  async function loop(): Promise<void> {
    while (!closing.signal.aborted) {
      deps.heartbeat();
      const woken = waking.promise;
      const wasBusy = await turn().catch(async (error: unknown) => {
        log.error({ err: error }, "the inbox cannot be read");
        await rest(STORE_PAUSE_MS);
        return true;
      });
      if (wasBusy) continue;
      if (woken === waking.promise) resting.resolve();
      await rest(nextDueMs(), woken);
    }
  }

  /** Whether there was something to do. */
  async function turn(): Promise<boolean> {
    const kept = await deliveries.unhandled(BATCH + retries.size);
    const due = kept.filter(({ id }) => (retries.get(id)?.dueAtMs ?? 0) <= performance.now());
    const marks: Promise<{ error: unknown } | undefined>[] = [];
    for (const delivery of due) {
      if (closing.signal.aborted) break;
      const end = await handle(delivery);
      // Marking one need not be over before the next is begun: twice handled is as good as once.
      if (end) marks.push(mark(delivery.id, end.problem));
      deps.heartbeat();
    }
    for (const failure of await Promise.all(marks)) if (failure) throw failure.error;
    return due.length > 0;
  }

  /** Hands back what went wrong: nobody listens yet when it does. */
  async function mark(id: string, problem?: string): Promise<{ error: unknown } | undefined> {
    try {
      await deliveries.markHandled(id, problem);
    } catch (error) {
      return { error };
    }
    return undefined;
  }

  /** `undefined` when it is to be tried again. */
  async function handle(
    delivery: DeliveryRecord,
  ): Promise<{ readonly problem?: string } | undefined> {
    const { id, event } = delivery;
    try {
      await deps.handle(delivery);
      retries.delete(id);
      return {};
    } catch (error) {
      const tries = (retries.get(id)?.tries ?? 0) + (isOfStore(error) ? 0 : 1);
      const pauseMs = retryAfterMs[Math.max(0, tries - 1)];
      if (pauseMs !== undefined && !isHopeless(error)) {
        log.warn({ err: error, delivery: id, event, tries }, "delivery is tried again");
        retries.set(id, { tries, dueAtMs: performance.now() + pauseMs });
        return undefined;
      }
      log.error({ err: error, delivery: id, event }, "delivery is given up");
      retries.delete(id);
      return { problem: textOf(error) };
    }
  }

  function nextDueMs(): number {
    const due = [...retries.values()].map(({ dueAtMs }) => dueAtMs - performance.now());
    return Math.max(0, Math.min(TURN_MS, ...due));
  }

  async function rest(ms: number, woken: Promise<void> = waking.promise): Promise<void> {
    const timer = new AbortController();
    const signal = AbortSignal.any([timer.signal, closing.signal]);
    await Promise.race([woken, sleep(ms, undefined, { signal }).catch(() => {})]);
    timer.abort();
  }

  const done = loop();
  return {
    wake() {
      resting = renewed(resting);
      waking.resolve();
      waking = Promise.withResolvers();
    },
    settled: () => resting.promise,
    async [Symbol.asyncDispose]() {
      closing.abort();
      await done;
      resting.resolve();
    },
  };
}

/** One that may have been resolved is followed by the next; who waits for it already waits for that one, too. */
function renewed(old: PromiseWithResolvers<void>): PromiseWithResolvers<void> {
  const next = Promise.withResolvers<void>();
  void next.promise.then(old.resolve);
  return next;
}

/** A payload that cannot be read will not be better next time. */
function isHopeless(error: unknown): boolean {
  return error instanceof BerthError && error.code === "INPUT_INVALID";
}

/** A disk that is full says nothing about the delivery. */
function isOfStore(error: unknown): boolean {
  return error instanceof BerthError && error.code === "STORE_UNUSABLE";
}
