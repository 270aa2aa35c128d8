import { setTimeout as sleep } from "node:timers/promises";
import type { MachineShell } from "../machine-shell.ts";
import { commandFailed } from "../run-command.ts";
import type { SetupStep } from "../setup-step.ts";
import type { SetupLog } from "./setup-log.ts";
import type { PlanStep } from "./setup-plan.ts";
import { inSetupShell } from "./setup-shell.ts";

/** A check looks, and looks quickly. */
const CHECK_LIMIT_MS = 120_000;
/** A slow mirror, a driver built for this kernel. */
const COMMAND_LIMIT_MS = 30 * 60_000;
const CLEANUP_LIMIT_MS = 60_000;
/** Whoever holds the lock of the package manager is waited for: machines update themselves after they come up. */
const LOCK_PATIENCE_MS = 5 * 60_000;
const LOCK_POLL_MS = 2000;
/** Of apt, dpkg, apk; dnf waits by itself, zypper is told to. */
const IS_LOCKED =
  /Could not get lock|locked by another process|Unable to (?:acquire|lock)|database is locked/;

type Where = {
  readonly shell: MachineShell;
  readonly log?: SetupLog | undefined;
};

/** A step of a plan on a machine. Its error is `SETUP_FAILED` with a `CommandFailure` as cause. */
export function scriptStep(step: PlanStep, { shell, log }: Where): SetupStep {
  const { name, why, commands, check, cleanup = [] } = step;
  return {
    name,
    why,
    commands,
    async isDone(signal) {
      const limits = { signal, limitMs: CHECK_LIMIT_MS };
      return (await shell.run(inSetupShell(check), limits)).exitCode === 0;
    },
    async apply({ progress, signal }) {
      const run = (command: string, ends: AbortSignal) =>
        runCommandThere(command, { step: name, shell, log, progress, signal: ends });
      try {
        for (const command of commands) await run(command, signal);
      } finally {
        // With a signal of its own: what was put there for the time of the step goes also when it is aborted.
        const ends = AbortSignal.timeout(CLEANUP_LIMIT_MS);
        for (const command of cleanup) await run(command, ends);
      }
    },
  };
}

type RunOptions = Where & {
  readonly step: string;
  progress(line: string): void;
  readonly signal: AbortSignal;
};

async function runCommandThere(
  command: string,
  { step, shell, log, progress, signal }: RunOptions,
): Promise<void> {
  log?.write(`$ ${command}`);
  const giveUpAt = Date.now() + LOCK_PATIENCE_MS;
  for (;;) {
    const end = await shell.run(inSetupShell(command), {
      signal,
      limitMs: COMMAND_LIMIT_MS,
      onLine(line) {
        log?.write(`  ${line}`);
        progress(line);
      },
    });
    // Also of a command that goes on without: what it needed it did not get.
    const isLocked = IS_LOCKED.test(end.stderr) && Date.now() < giveUpAt;
    if (!isLocked) {
      log?.write(`exit code ${end.exitCode}`);
      if (end.exitCode !== 0) throw commandFailed({ ...end, step, command });
      return;
    }
    log?.write("  waits for the lock of the package manager");
    progress("waits for the lock of the package manager");
    await sleep(LOCK_POLL_MS, undefined, { signal });
  }
}
