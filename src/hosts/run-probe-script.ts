import { spawn } from "node:child_process";
import { StringDecoder } from "node:string_decoder";

/** More than any machine says of itself. */
const MOST_CHARACTERS = 4 * 1024 ** 2;

/**
 * Runs the probe's script on this machine and returns what it printed by its end, or by the end of its time: a program that hangs in
 * the kernel can be neither killed nor waited for.
 *
 * @param options `timeoutMs` is the longest wait, in milliseconds; `lastLine` is what the script prints when it is done.
 */
export async function runProbeScript(
  script: string,
  {
    env,
    lastLine,
    timeoutMs,
    signal,
  }: {
    readonly env: { readonly [name: string]: string | undefined };
    readonly lastLine: string;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
  },
): Promise<string> {
  signal.throwIfAborted();
  // A process group of its own, so that whatever a hung program started goes with it.
  const child = spawn("sh", ["-c", script], {
    env: { ...env },
    stdio: ["ignore", "pipe", "ignore"],
    detached: true,
  });
  const decoder = new StringDecoder("utf8");
  let output = "";

  try {
    await new Promise<void>((resolve, reject) => {
      child.stdout.on("data", (bytes: Buffer) => {
        if (output.length < MOST_CHARACTERS) output += decoder.write(bytes);
        // Not the end of the stream: what a killed program left running may still hold it open.
        if (output.endsWith(`${lastLine}\n`)) resolve();
      });
      child.on("error", reject);
      child.on("close", () => resolve());
      AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]).addEventListener("abort", () =>
        resolve(),
      );
    });
  } finally {
    endGroup(child.pid);
    child.stdout.destroy();
    child.unref();
  }
  signal.throwIfAborted();
  return output;
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended, and all that it started with it.
  }
}
