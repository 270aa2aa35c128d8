const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** What Ctrl-C means. The first asks to stop, the second to stop at once; a third ends this process as it is. */
export type Interrupts = {
  readonly first: AbortSignal;
  readonly second: AbortSignal;
  /** From now on this signal means something else. */
  leave(signal: (typeof SIGNALS)[number]): void;
};

/** What a shell reports for a process that Ctrl-C ended. */
export const INTERRUPTED = 130;

export function listenForInterrupts(): Interrupts {
  const first = new AbortController();
  const second = new AbortController();
  const hear = (name: NodeJS.Signals) => {
    if (second.signal.aborted) process.exit(INTERRUPTED);
    (first.signal.aborted ? second : first).abort(new Error(`received ${name}`));
  };
  for (const name of SIGNALS) process.on(name, hear);
  return {
    first: first.signal,
    second: second.signal,
    leave: (name) => void process.off(name, hear),
  };
}
