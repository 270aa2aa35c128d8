import { setTimeout as wait } from "node:timers/promises";
import { BerthError } from "../../../runner/errors.ts";
import type { Link } from "./link.ts";
import { connectionLost } from "./ssh-errors.ts";

export type KeepConnectedOptions = {
  /** Makes a connection; `previous` is the one that broke, whose far end may still be there. */
  connect(previous: Link | undefined, signal: AbortSignal): Promise<Link>;
  /** How long calls wait for a connection that was there before to come back, from when it was lost, in milliseconds. */
  readonly patienceMs: number;
};

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

/**
 * A connection that is made when it is first needed and made anew when it breaks. While nobody has ever got through, each call tries once and hears
 * why not; one that broke is tried again and again, first at once, then after longer and longer pauses.
 */
export class KeptConnection implements AsyncDisposable {
  readonly #options: KeepConnectedOptions;
  readonly #listeners = new Set<(lost: Error | undefined) => void>();
  readonly #closing = new AbortController();
  #link: Promise<Link> | undefined;
  #previous: Link | undefined;
  #lostAtMs = 0;
  /** The latest failure of coming back; for those who can wait no longer. */
  #why: unknown;
  #nextTry = Promise.withResolvers<void>();

  constructor(options: KeepConnectedOptions) {
    this.#options = options;
  }

  /** Aborts when the connection is given up for good. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  onChange(listener: (lost: Error | undefined) => void): Disposable {
    // The same function may listen twice.
    const own: typeof listener = (lost) => listener(lost);
    this.#listeners.add(own);
    return { [Symbol.dispose]: () => void this.#listeners.delete(own) };
  }

  /** The connection, once it is there. */
  async link(signal: AbortSignal): Promise<Link> {
    signal.throwIfAborted();
    this.#closing.signal.throwIfAborted();
    const previous = this.#previous;
    this.#link ??= this.#first();
    if (previous === undefined) return await raced(this.#link, signal);

    // Each call waiting anew would add up where a machine stays away.
    const { patienceMs } = this.#options;
    if (this.#why !== undefined && performance.now() - this.#lostAtMs > patienceMs) throw this.#why;
    const patience = AbortSignal.timeout(patienceMs);
    const given = AbortSignal.any([signal, patience]);
    for (;;) {
      const tried = this.#nextTry.promise;
      if (isLasting(this.#why)) throw this.#why;
      try {
        // Whichever is first: it is there, or one more try failed.
        const there = await raced(Promise.race([this.#link, tried]), given);
        if (there !== undefined) return there;
      } catch (error) {
        if (!patience.aborted || signal.aborted) throw error;
        throw this.#why ?? connectionLost(previous.hop, previous.lost.reason);
      }
    }
  }

  /** Nobody gets the connection any more; it stays open until it is disposed of. */
  giveUp(): void {
    this.#closing.abort(new Error("the connection to the machine was closed"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.giveUp();
    const link = await this.#link?.catch(() => undefined);
    link?.close();
  }

  #first(): Promise<Link> {
    const made = this.#options.connect(undefined, this.#closing.signal);
    made.then(
      (link) => this.#watch(link),
      () => {
        this.#link = undefined; // the next call tries anew
      },
    );
    return made;
  }

  #watch(link: Link): void {
    const lose = () => {
      if (this.#closing.signal.aborted) return;
      this.#previous = link;
      this.#lostAtMs = performance.now();
      this.#why = undefined;
      this.#link = this.#again(link);
      this.#link.catch(() => {}); // it fails only when everything is closed
      this.#tell(connectionLost(link.hop, link.lost.reason));
    };
    if (link.lost.aborted) lose();
    else link.lost.addEventListener("abort", lose, { once: true });
  }

  async #again(previous: Link): Promise<Link> {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        const link = await this.#options.connect(previous, this.#closing.signal);
        this.#why = undefined;
        this.#previous = undefined;
        this.#tell(undefined);
        this.#watch(link); // which tells if it is lost by now
        return link;
      } catch (error) {
        this.#closing.signal.throwIfAborted();
        this.#why = error;
        this.#nextTry.resolve();
        this.#nextTry = Promise.withResolvers();
      }
      // So that many that lost the same network do not all come back in the same instant.
      const ms = pauseMs * (0.5 + Math.random() / 2);
      await wait(ms, undefined, { signal: this.#closing.signal });
    }
  }

  #tell(lost: Error | undefined): void {
    for (const listener of [...this.#listeners]) listener(lost);
  }
}

/** What waiting does not mend. */
function isLasting(error: unknown): boolean {
  return error instanceof BerthError && error.code !== "HOST_UNREACHABLE";
}

/** Whoever waits may give up; what is waited for goes on. */
export async function raced<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: givenUp, reject } = Promise.withResolvers<never>();
  const giveUp = () => reject(signal.reason);
  if (signal.aborted) giveUp();
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    return await Promise.race([promise, givenUp]);
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}
