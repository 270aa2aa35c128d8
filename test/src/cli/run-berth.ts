import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";

/** The command finds its Node as a user's does. */
const NODE = dirname(process.execPath);
const COMMAND = join(import.meta.dirname, "../../../dist/berth.js");

export type Ended = {
  code: number | null;
  stdout: string;
  stderr: string;
  /** What was printed with `--json`. */
  events: Event[];
};
export type Event = { type: string; at: string; run: string; [field: string]: unknown };

type Options = { cwd: string; env?: { [name: string]: string | undefined } };

/** Runs the built command to its end. */
export async function runBerth(args: string[], options: Options): Promise<Ended> {
  return ending(startBerth(args, options));
}

export function startBerth(args: string[], { cwd, env = {} }: Options): ChildProcess {
  const { FORCE_COLOR, NO_COLOR, GITHUB_TOKEN, ...own } = process.env;
  return spawn(COMMAND, args, {
    cwd,
    env: { ...own, PATH: `${NODE}:${own.PATH}`, XDG_STATE_HOME: join(cwd, ".state"), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** What a started command printed, once it has ended. */
export async function ending(child: ChildProcess): Promise<Ended> {
  const { stdout: out, stderr: err } = child;
  if (!out || !err) throw new Error("started without pipes");
  const [stdout, stderr] = await Promise.all([text(out), text(err), once(child, "close")]);
  return { code: child.exitCode, stdout, stderr, events: parseEvents(stdout) };
}

function parseEvents(stdout: string): Event[] {
  const lines = stdout.split("\n").filter((line) => line.startsWith('{"type"'));
  return lines.map((line) => JSON.parse(line) as Event);
}

/** The lines of the log, of all jobs or of one. */
export function logOf({ events }: Ended, name?: string): string[] {
  return events
    .filter((event) => event.type === "log" && (name === undefined || event.name === name))
    .map((event) => String(event.line));
}

export function conclusions({ events }: Ended): { [name: string]: unknown } {
  return Object.fromEntries(
    events
      .filter(({ type }) => type === "job_finished")
      .map((event) => [String(event.name), event.conclusion]),
  );
}
