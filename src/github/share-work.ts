/** Asks for a piece of work by its name; who asks for one that is under way, or well done, gets the same. */
export type SharedWork<T> = (
  name: string,
  work: () => Promise<T>,
  signal: AbortSignal,
) => Promise<T>;

/**
 * Does each piece of work once. The first who asks does it, with its own signal; when that one is cancelled, the next of those who
 * wait does it anew. What failed is done again for whoever asks later.
 */
export function shareWork<T>(): SharedWork<T> {
  const running = new Map<string, { readonly work: Promise<T>; readonly signal: AbortSignal }>();

  return async (name, work, signal) => {
    for (;;) {
      signal.throwIfAborted();
      const theirs = running.get(name);
      if (theirs === undefined) break;
      try {
        return await untilAborted(theirs.work, signal);
      } catch (error) {
        if (signal.aborted || !theirs.signal.aborted) throw error;
        if (running.get(name) === theirs) running.delete(name);
      }
    }
    const mine = { work: work(), signal };
    running.set(name, mine);
    try {
      return await mine.work;
    } catch (error) {
      if (running.get(name) === mine) running.delete(name);
      throw error;
    }
  };
}

async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
