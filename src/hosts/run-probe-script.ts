import type { MachineShell } from "./machine-shell.ts";

/** What the script printed by its end, or by the end of its time. */
export type Heard = {
  readonly output: string;
  /** What it said of itself that went wrong. */
  readonly complaint: string;
  /** The line that tells the machine's clock, and between which times of ours it was printed, in milliseconds since 1970. */
  readonly clock:
    | { readonly said: string; readonly fromMs: number; readonly toMs: number }
    | undefined;
};

/** More than any machine says of itself. */
const MOST_CHARACTERS = 4 * 1024 ** 2;

/** How long a script may take to end after its last line, in milliseconds, before it is ended. */
const GRACE_MS = 500;

/**
 * Runs the probe's script and returns what it printed by its last line, or by the end of its time: a program that hangs in the kernel can be
 * neither killed nor waited for, and what it left running may hold the streams open.
 *
 * @param options `timeoutMs` is the longest wait for the script, in milliseconds; `clockLine` is how the line begins that tells the time.
 */
export async function runProbeScript(
  shell: MachineShell,
  script: string,
  {
    lastLine,
    clockLine,
    timeoutMs,
    signal,
  }: {
    readonly lastLine: string;
    readonly clockLine: string;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
  },
): Promise<Heard> {
  let output = "";
  let complaint = "";
  let clock: Heard["clock"];
  const enough = new AbortController();
  const fromMs = Date.now();
  const onLine = (line: string, stream: "stdout" | "stderr") => {
    if (stream === "stderr") {
      if (complaint.length < 500) complaint += `${line}\n`;
      return;
    }
    if (output.length < MOST_CHARACTERS) output += `${line}\n`;
    if (line.startsWith(clockLine)) {
      clock ??= { said: line.slice(clockLine.length), fromMs, toMs: Date.now() };
    }
    if (line === lastLine) setTimeout(() => enough.abort(), GRACE_MS).unref();
  };
  const late = AbortSignal.timeout(timeoutMs);
  const ending = AbortSignal.any([signal, enough.signal, late]);
  try {
    await shell.run(script, { onLine, signal: ending });
  } catch (error) {
    signal.throwIfAborted();
    // It ran long enough to say something, whatever ended it.
    if (!ending.aborted) throw error;
  }
  return { output, complaint: complaint.trim(), clock };
}
