import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  constants,
  createReadStream,
  existsSync,
  type FSWatcher,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  watch,
} from "node:fs";
import { mkdtemp, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { shellArgv } from "./preamble.ts";
import type { ShellBackend, ShellConnection } from "./shell.ts";

const READ_BYTES = 64 * 1024;
const LOOK_MS = 100;
/** How long after the shell's end its last output may take to arrive. */
const LAST_OUTPUT_MS = 150;
const NEWLINE = 0x0a;
/** In the environment of everything a local shell starts, so that all of it can be found again. */
export const LOCAL_SHELL_MARK = "BERTH_LOCAL_SHELL";

/*
 * The shell's output goes through `cat` into files: to the steps it is a pipe as in a container (a file would be truncated by
 * `> /dev/stdout`), and the files are the log.
 */
const SURROUNDINGS = `b_log=$1
shift
{ { { "$@"; printf ended >"$b_log/ended"; } <>"$b_log/stdin" 2>&3 3>&- | cat >>"$b_log/stdout"; } 3>&1 | cat >>"$b_log/stderr"; }`;

export type LocalBackendOptions = {
  readonly nonce: string;
  /** The shell's program and first arguments; `["busybox", "ash"]`, say. */
  readonly shell?: readonly string[];
  /** The whole environment of the shell. */
  readonly env: { readonly [name: string]: string };
  readonly cwd: string;
  /** Where its pipe and its log are kept; the system's folder for temporary files when left out. */
  readonly parent?: string;
};

/** A shell on this machine. Disposing of it kills everything that was started in it. It isolates nothing. */
export type LocalBackend = ShellBackend &
  AsyncDisposable & {
    readLog: NonNullable<ShellBackend["readLog"]>;
  };

/** Makes a backend whose shell lives on this machine, survives its connections and keeps a log of what it prints. */
export function localBackend(options: LocalBackendOptions): LocalBackend {
  const { nonce, shell = ["/bin/sh"], env, cwd, parent = tmpdir() } = options;
  const folder = prepareFolder(parent);
  folder.catch(() => {}); // whoever attaches hears of it
  const connections = new Set<ShellConnection>();

  return {
    async attach(signal) {
      const path = await folder;
      signal.throwIfAborted();
      const connection = attach(path);
      connections.add(connection);
      return connection;
    },
    async start() {
      const path = await folder;
      const child = spawn(
        "/bin/sh",
        ["-c", SURROUNDINGS, "sh", path, ...shell, ...shellArgv(nonce)],
        {
          cwd,
          env: { ...env, [LOCAL_SHELL_MARK]: nonce },
          detached: true,
          stdio: "ignore",
        },
      );
      await once(child, "spawn");
      child.unref();
      await writeFile(join(path, "pid"), String(child.pid));
    },
    async *readLog({ tail }) {
      const path = join(await folder, "stdout");
      const start = tail === undefined ? 0 : await startOfTail(path, tail);
      for await (const data of createReadStream(path, { start })) yield { stream: "stdout", data };
    },
    async [Symbol.asyncDispose]() {
      const path = await folder;
      await endQuietly(path, nonce);
      await killMarked(nonce);
      for (const connection of connections) await connection[Symbol.asyncDispose]();
      await rm(path, { recursive: true, force: true });
      await rm(`/dev/shm/.berth-${nonce}`, { recursive: true, force: true });
    },
  };
}

async function prepareFolder(parent: string): Promise<string> {
  const folder = await mkdtemp(join(parent, "berth-shell-"));
  await promisify(execFile)("mkfifo", [join(folder, "stdin")]);
  for (const name of ["stdout", "stderr"]) await writeFile(join(folder, name), "");
  return folder;
}

function attach(folder: string): ShellConnection {
  // Open for reading too: else opening waits until the shell has opened its end.
  const fd = openSync(join(folder, "stdin"), constants.O_RDWR | constants.O_NONBLOCK);
  const stdin = new Socket({ fd, readable: false, writable: true });
  const stdout = follow(folder, "stdout");
  const stderr = follow(folder, "stderr");
  const close = () => {
    for (const stream of [stdin, stdout, stderr]) stream.destroy();
  };
  for (const stream of [stdin, stdout, stderr]) stream.once("close", close);
  return { stdin, stdout, stderr, [Symbol.asyncDispose]: async () => close() };
}

/** What is appended to a file from now on, until the shell beside it has ended. */
function follow(folder: string, name: string): Readable {
  const path = join(folder, name);
  const file = openSync(path, "r");
  const buffer = Buffer.alloc(READ_BYTES);
  let position = fstatSync(file).size;
  let endsAt = Number.POSITIVE_INFINITY;

  const readOn = () => {
    // Whoever hears a piece may end the connection for it.
    while (!stream.destroyed) {
      const length = readSync(file, buffer, 0, buffer.length, position);
      if (length === 0) break;
      position += length;
      stream.push(Buffer.from(buffer.subarray(0, length)));
    }
  };
  const look = () => {
    readOn();
    if (stream.destroyed) return;
    if (Date.now() > endsAt) stream.push(null);
    else if (hasEnded(folder)) endsAt = Math.min(endsAt, Date.now() + LAST_OUTPUT_MS);
  };
  // Not paused by a full buffer: the shell's client always reads.
  const watcher: FSWatcher = watch(path, readOn);
  const timer = setInterval(look, LOOK_MS);
  const stream = new Readable({
    read() {},
    destroy(error, done) {
      clearInterval(timer);
      watcher.close();
      closeSync(file);
      done(error);
    },
  });
  return stream;
}

function hasEnded(folder: string): boolean {
  if (existsSync(join(folder, "ended"))) return true;
  const pid = join(folder, "pid");
  return existsSync(pid) && !existsSync(`/proc/${readFileSync(pid, "utf8")}`);
}

/** Where the last `lines` lines of a file begin. */
async function startOfTail(path: string, lines: number): Promise<number> {
  await using file = await open(path);
  const { size } = await file.stat();
  const buffer = Buffer.alloc(READ_BYTES);
  let missing = lines + 1;
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - buffer.length);
    await file.read(buffer, 0, end - start, start);
    for (let at = end - start - 1; at >= 0; at--) {
      if (buffer[at] === NEWLINE && --missing === 0) return start + at + 1;
    }
    end = start;
  }
  return 0;
}

/** Ends a shell that runs no command: its processes then go in order, each collected by the one that started it. */
async function endQuietly(folder: string, nonce: string): Promise<void> {
  const control = await readFile(`/dev/shm/.berth-${nonce}/control`, "utf8").catch(() => "");
  if (!/^\d+\n$/.test(control)) return;
  kill(Number(control));
  for (let tries = 0; tries < 20 && !hasEnded(folder); tries++) await sleep(5);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended in between.
  }
}

/** Kills every process that has the mark of this shell in its environment, until there is none left. */
async function killMarked(nonce: string): Promise<void> {
  const mark = `${LOCAL_SHELL_MARK}=${nonce}\0`;
  for (let found = true; found; ) {
    found = false;
    for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
      const environment = await readFile(`/proc/${pid}/environ`, "latin1").catch(() => "");
      if (!environment.includes(mark)) continue;
      found = true;
      kill(Number(pid));
    }
    if (found) await sleep(5);
  }
}
