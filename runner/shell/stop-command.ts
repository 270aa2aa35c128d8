import type { RunOptions } from "./shell.ts";

export type SignalName = "INT" | "TERM" | "KILL";

/**
 * Ends a command when its `signal` aborts, as GitHub's runner does: INT and TERM to the entry process, KILL to its tree
 * (actions/runner, Runner.Sdk/ProcessInvoker.cs); at once with KILL when `kill` aborts. Stops when `finished` aborts.
 */
export function stopCommand(
  { signal, kill }: Pick<RunOptions, "signal" | "kill">,
  command: {
    readonly graceMs: readonly [int: number, term: number];
    readonly begun: Promise<void>;
    readonly finished: AbortSignal;
    send(name: SignalName): void;
  },
): void {
  const { graceMs, begun, finished, send } = command;
  let timer: NodeJS.Timeout | undefined;
  const after = (ms: number, next: () => void) => {
    clearTimeout(timer);
    timer = setTimeout(next, ms);
  };
  const killTree = () => {
    send("KILL");
    after(graceMs[1], killTree); // what it forked meanwhile
  };
  const interrupt = () => {
    send("INT");
    after(graceMs[0], () => {
      send("TERM");
      after(graceMs[1], killTree);
    });
  };
  const whenAborted = (cause: AbortSignal | undefined, act: () => void) => {
    const onceBegun = () => void begun.then(() => finished.aborted || act());
    if (cause?.aborted) onceBegun();
    else cause?.addEventListener("abort", onceBegun, { once: true, signal: finished });
  };

  finished.addEventListener("abort", () => clearTimeout(timer), { once: true });
  if (!kill?.aborted) whenAborted(signal, () => kill?.aborted || interrupt());
  whenAborted(kill, killTree);
}
