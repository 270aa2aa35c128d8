import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, open, readFile, rm, stat, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BerthError } from "../../runner/errors.ts";
import type { EngineFolder } from "./engine-folder.ts";
import { findProgram, searchPath } from "./find-program.ts";
import { runCommand } from "./run-command.ts";

/** The first start makes a bridge and loads plugins; a slow disk takes a while. */
const START_TIMEOUT_MS = 60_000;
/** Stopping ends every container first, each with its own grace. */
const STOP_TIMEOUT_MS = 60_000;
const POLL_MS = 100;

/** Says whether an engine answers at this socket; comes from the folder that speaks to engines. */
export type IsAnswering = (socket: string, signal: AbortSignal) => Promise<boolean>;

/** Process id of the dockerd of this folder, `undefined` when it does not run. */
export function enginePid(folder: EngineFolder): Promise<number | undefined> {
  return readPid(folder.pidFile, ["dockerd", folder.data]);
}

/** The process a pid file names, if that runs and has these words in its command line. */
async function readPid(file: string, words: readonly string[]): Promise<number | undefined> {
  const pid = Number.parseInt(await readFile(file, "utf8").catch(() => ""), 10);
  if (!(pid > 1)) return undefined;
  // A file that outlived its process may name anything by now; a process that nobody has reaped yet has no command line.
  const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return words.every((word) => commandLine.includes(word)) ? pid : undefined;
}

/**
 * Starts dockerd for this folder, detached: it outlives this process. Returns when it answers.
 *
 * @throws {BerthError} `SETUP_FAILED` with the last lines of its log when it ends or stays silent.
 */
export async function startEngine(
  folder: EngineFolder,
  { isAnswering, signal }: { isAnswering: IsAnswering; signal: AbortSignal },
): Promise<void> {
  await mkdir(folder.path, { recursive: true, mode: 0o711 });
  // Two commands may want it at the same moment; the second waits for what the first one starts.
  await using _lock = await lock(join(folder.path, "starting"), signal);
  if (await isAnswering(folder.socket, signal)) return;
  const life = (await enginePid(folder)) === undefined ? await launch(folder) : { hasEnded: false };

  const giveUpAt = Date.now() + START_TIMEOUT_MS;
  while (!(await isAnswering(folder.socket, signal))) {
    if (life.hasEnded || Date.now() > giveUpAt) throw await didNotStart(folder, life.hasEnded);
    await sleep(POLL_MS, undefined, { signal });
  }
}

/** Held by one living process at a time: the lock of one that died, or took far too long, is taken over. */
async function lock(file: string, signal: AbortSignal): Promise<AsyncDisposable> {
  while (!(await create(file, String(process.pid)))) {
    if (await isStale(file)) await rm(file, { force: true });
    else await sleep(POLL_MS, undefined, { signal });
  }
  return { [Symbol.asyncDispose]: () => rm(file, { force: true }) };
}

/** False when the file exists already. */
async function create(file: string, text: string): Promise<boolean> {
  try {
    await writeFile(file, text, { flag: "wx" });
    return true;
  } catch (error) {
    const code = typeof error === "object" && error !== null && "code" in error && error.code;
    if (code === "EEXIST") return false;
    throw error;
  }
}

async function isStale(file: string): Promise<boolean> {
  const [holder, facts] = await Promise.all([
    readFile(file, "utf8").catch(() => ""),
    stat(file).catch(() => undefined),
  ]);
  if (facts === undefined) return false;
  const isOld = Date.now() - facts.mtimeMs > 2 * START_TIMEOUT_MS;
  return isOld || (holder !== "" && !existsSync(`/proc/${holder}`));
}

async function launch(folder: EngineFolder): Promise<{ hasEnded: boolean }> {
  const dockerd = await findProgram("dockerd");
  if (dockerd === undefined) {
    throw new BerthError("SETUP_FAILED", {
      message: "dockerd was not found.",
      remedy:
        "Install Docker, or run Berth as root on Debian or Ubuntu, where it installs docker.io.",
    });
  }
  // dockerd refuses to start, or waits in vain, where a process of such a number lives, whatever it is.
  await rm(folder.pidFile, { force: true });
  const containerdPid = join(folder.exec, "containerd/containerd.pid");
  if ((await readPid(containerdPid, ["containerd"])) === undefined) {
    await rm(containerdPid, { force: true });
  }
  await using log = await open(folder.log, "w");
  const child = spawn(
    dockerd,
    [
      ...["--data-root", folder.data],
      ...["--exec-root", folder.exec],
      ...["-H", `unix://${folder.socket}`],
      ...["--pidfile", folder.pidFile],
    ],
    {
      detached: true,
      cwd: "/",
      stdio: ["ignore", log.fd, log.fd],
      env: { ...process.env, PATH: `${folder.programs}${delimiter}${searchPath()}` },
    },
  );
  const life = { hasEnded: false };
  child.on("exit", () => {
    life.hasEnded = true;
  });
  child.on("error", () => {
    life.hasEnded = true;
  });
  child.unref();
  return life;
}

async function didNotStart(folder: EngineFolder, hasEnded: boolean): Promise<BerthError> {
  const log = await readFile(folder.log, "utf8").catch(() => "");
  const lastLines = log.trim().split("\n").slice(-10).join("\n  ");
  return new BerthError("SETUP_FAILED", {
    message: `dockerd ${hasEnded ? "ended" : "did not answer"} while it was starting:\n  ${lastLines}`,
    remedy: `The whole log is in ${folder.log}.`,
    cause: { log },
  });
}

/** Ends the dockerd of this folder and with it all its containers. Does nothing when it does not run. */
export async function stopEngine(folder: EngineFolder, signal: AbortSignal): Promise<void> {
  const pid = await enginePid(folder);
  if (pid === undefined) return;
  process.kill(pid, "SIGTERM");
  const giveUpAt = Date.now() + STOP_TIMEOUT_MS;
  while ((await enginePid(folder)) !== undefined) {
    if (Date.now() > giveUpAt) {
      throw new BerthError("SETUP_FAILED", {
        message: `dockerd (process ${pid}) did not end within ${STOP_TIMEOUT_MS / 1000} s.`,
        remedy: `Look into ${folder.log}; "kill -9 ${pid}" ends it at once.`,
      });
    }
    await sleep(POLL_MS, undefined, { signal });
  }
  await Promise.all([folder.pidFile, folder.socket].map((file) => rm(file, { force: true })));
}

/** Deletes everything the engine kept: images, containers, volumes. It must not run. */
export async function removeEngine(folder: EngineFolder, signal: AbortSignal): Promise<void> {
  for (const mountPoint of await mountsBelow(folder.path)) {
    await runCommand(["umount", mountPoint], { signal });
  }
  await rm(folder.path, { recursive: true, force: true });
}

/** Innermost first. A dockerd that ended keeps its network namespace mounted, for one. */
async function mountsBelow(path: string): Promise<string[]> {
  const table = await readFile("/proc/self/mountinfo", "utf8");
  return table
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((mountPoint) => mountPoint.startsWith(`${path}/`))
    .reverse();
}
