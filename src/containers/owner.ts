import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { systemCodeOf } from "./engine-error.ts";

/**
 * This process, as the label `io.berth.owner` has it: `<hostname>:<pid>:<start time>`. The start time carries the boot and the pid
 * namespace, so that neither a reboot nor a recycled pid makes a dead owner look alive.
 */
export function thisOwner(): string {
  return `${hostname()}:${process.pid}:${startOf(process.pid) ?? "unknown"}`;
}

/**
 * Whether the process that an `io.berth.owner` label names still runs. One of another machine, or of another pid namespace of this
 * one, cannot be asked and counts as alive.
 */
export function isOwnerAlive(owner: string): boolean {
  const match = /^(.*):(\d+):([^:]*)$/.exec(owner);
  if (match === null) return false;
  const [, host, pid, start = ""] = match;
  if (host !== hostname()) return true;
  const [boot, namespace, ticks] = start.split("/");
  if (ticks === undefined) return isRunning(Number(pid));
  if (boot !== bootId()) return false;
  if (namespace !== pidNamespace()) return true;
  return startOf(Number(pid)) === start;
}

/**
 * The pid of an owner that is stopped (SIGSTOP, a debugger) on this machine. It cannot be talked to, and what it holds it will not
 * let go.
 */
export function stoppedOwnerPid(owner: string): number | undefined {
  const [host, pid] = owner.split(":");
  if (host !== hostname() || !isOwnerAlive(owner)) return undefined;
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const state = stat.slice(stat.lastIndexOf(")") + 2)[0];
  return state === "T" || state === "t" ? Number(pid) : undefined;
}

/** `<boot>/<pid namespace>/<clock ticks since boot>`; `undefined` where there is no such process or no /proc. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold anything, blanks and parentheses too.
    const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (state === "Z" || state === "X") return undefined;
    return `${bootId()}/${pidNamespace()}/${fields[18]}`;
  } catch {
    return undefined; // no such process, or no /proc: both mean that nothing is known of it
  }
}

function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").slice(0, 8);
}

function pidNamespace(): string {
  return readlinkSync("/proc/self/ns/pid").replace(/\D/g, "");
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCodeOf(error) === "EPERM";
  }
}

/** Whether it can be found out here if the process that an owner names still runs: it is one of this machine and this pid namespace. */
export function isOwnerKnowable(owner: string): boolean {
  const [, host, boot, namespace] = /^(.*):\d+:([^:/]*)\/([^:/]*)\//.exec(owner) ?? [];
  if (host !== hostname()) return false;
  return boot !== bootId() || namespace === pidNamespace();
}
