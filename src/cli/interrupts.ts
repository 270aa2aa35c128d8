/** What Ctrl-C means. The first asks to stop, the second to stop at once; a third ends this process as it is. */
export type Interrupts = {
  readonly first: AbortSignal;
  readonly second: AbortSignal;
};

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** What a shell reports for a process that Ctrl-C ended. */
export const INTERRUPTED = 130;

export function listenForInterrupts(): Interrupts {
  const first = new AbortController();
  const second = new AbortController();
  for (const name of SIGNALS) {
    process.on(name, () => {
      if (second.signal.aborted) process.exit(INTERRUPTED);
      (first.signal.aborted ? second : first).abort(new Error(`received ${name}`));
    });
  }
  return { first: first.signal, second: second.signal };
}
