import type { GitHubApp } from "../github/installation.ts";
import type { Log } from "../log.ts";
import type { Store } from "../store/store.ts";
import { handleDelivery } from "./handle-delivery.ts";
import type { IntakeListener } from "./intake-event.ts";
import { openHearing } from "./open-hearing.ts";
import { pollDeliveries } from "./poll-deliveries.ts";
import { type Receipt, type ReceivedRequest, receiveDelivery } from "./receive-delivery.ts";
import { startInbox } from "./start-inbox.ts";
import { startLoop } from "./start-loop.ts";
import { createDeliverySweep } from "./sweep-deliveries.ts";
import { createJobSweep } from "./sweep-jobs.ts";

export type IntakeDeps = {
  /** `webhook`: GitHub posts, and a sweep finds what it could not; `poll`: the App's log of deliveries is read, so that nobody posts. */
  readonly mode: "webhook" | "poll";
  readonly app: GitHubApp;
  readonly appId: number;
  readonly store: Store;
  /** Of the webhook, all that are valid now. */
  secrets(): readonly string[];
  readonly listener: IntakeListener;
  readonly log: Log;
  /** Makes the heartbeat of a loop that may be silent for so long. */
  heartbeat(loop: string, limitMs: number): () => void;
};

/** Hears what GitHub wants. Disposing of it ends its loops after what they have in hand. */
export type Intake = AsyncDisposable & {
  /** For what is posted to the webhook's address. */
  receive(request: ReceivedRequest): Promise<Receipt>;
  /** Resolves when all that was received has been handled, except what failed and is to be tried again. */
  settled(): Promise<void>;
};

const SWEEP_EVERY_MS = 60_000;
const POLL_AFTER_NEWS_MS = 1_000;
const POLL_EVERY_MS = 4_000;
/** An App has at least 5,000 requests an hour; a poll leaves a quarter of them. */
const REQUEST_COSTS_MS = 1_000;
const SPARE_REQUESTS = 500;
/** A loop beats every ten seconds, unless a request takes its time. */
const BEAT_LIMIT_MS = 2 * 60_000;

export function startIntake(deps: IntakeDeps): Intake {
  const { app, appId, store, listener, log } = deps;
  const { triggers, deliveries } = store;
  const hearing = openHearing(store, listener);
  const stack = new AsyncDisposableStack();
  const beat = (loop: string) => deps.heartbeat(loop, BEAT_LIMIT_MS);
  const inbox = stack.use(
    startInbox({
      ...{ deliveries, log, heartbeat: beat("inbox") },
      handle: (delivery) => handleDelivery(delivery, { triggers, hearing, appId }),
    }),
  );

  const asked = { app, store, log, arrived: () => inbox.wake() };
  const { sweep, firstTriedAtMs } = createDeliverySweep(asked);
  if (deps.mode === "webhook") {
    const turn = () => sweep().then(() => SWEEP_EVERY_MS);
    stack.use(startLoop({ name: "deliveries", log, heartbeat: beat("deliveries"), turn }));
  }
  const jobsBeat = beat("jobs");
  const jobs = createJobSweep({ app, store, hearing, log, heartbeat: jobsBeat });
  const jobsTurn = () => jobs.sweep().then(() => SWEEP_EVERY_MS);
  stack.use(startLoop({ name: "jobs", log, heartbeat: jobsBeat, turn: jobsTurn }));
  if (deps.mode === "poll") {
    const turn = pacedPoll(() => pollDeliveries(asked));
    stack.use(startLoop({ name: "poll", log, heartbeat: beat("poll"), turn }));
  }

  const receiving = { ...{ secrets: deps.secrets, deliveries, log, firstTriedAtMs } };
  return {
    receive: (request) => receiveDelivery(request, { ...receiving, arrived: () => inbox.wake() }),
    settled: () => inbox.settled(),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Soon again after news; slower once a busy hour has used up what is spare. */
function pacedPoll(poll: () => Promise<number>): () => Promise<number> {
  let spare = SPARE_REQUESTS;
  let lastMs = performance.now();
  return async () => {
    const requests = await poll();
    const nowMs = performance.now();
    spare = Math.min(SPARE_REQUESTS, spare + (nowMs - lastMs) / REQUEST_COSTS_MS) - requests;
    lastMs = nowMs;
    const restMs = requests > 1 ? POLL_AFTER_NEWS_MS : POLL_EVERY_MS;
    return Math.max(restMs, -spare * REQUEST_COSTS_MS);
  };
}
