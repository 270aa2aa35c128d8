import type PQueue from "p-queue";

/**
 * Runs a task when the queue has room.
 *
 * @returns `undefined` when `signal` was aborted before its turn came; once it runs, the task heeds the signal itself.
 */
export async function waitTurn<T>(
  queue: PQueue,
  task: () => Promise<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  // Given the signal itself, the queue would stop waiting for a running task too.
  const waiting = new AbortController();
  const leave = (): void => waiting.abort();
  signal.addEventListener("abort", leave, { once: true });
  if (signal.aborted) leave();
  let hasStarted = false;
  try {
    return await queue.add(
      async () => {
        hasStarted = true;
        signal.removeEventListener("abort", leave);
        return await task();
      },
      { signal: waiting.signal },
    );
  } catch (error) {
    if (hasStarted || !waiting.signal.aborted) throw error;
    return undefined;
  } finally {
    signal.removeEventListener("abort", leave);
  }
}
