import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdir, open, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { connectEngine, type Engine } from "../src/containers/connect-engine.ts";
import { isOwnerAlive, thisOwner } from "../src/containers/owner.ts";
import { findProgram, searchPath } from "../src/hosts/find-program.ts";
import { testMachine } from "./engine.ts";

/** A rootless Docker of an ordinary user of this machine; disposing of it removes the user and all that was theirs. */
export type RootlessEngine = AsyncDisposable & {
  readonly user: string;
  readonly uid: number;
  readonly home: string;
  readonly socket: string;
  /** `unix://` and the socket. */
  readonly endpoint: string;
  readonly engine: Engine;
  /** Copies the job image and its base to it (some 5 s); the job image's name. */
  loadJobImage(): Promise<string>;
};

/** Debian's packages, each with the program by which it is missed. */
export const ROOTLESS_PACKAGES = [
  { name: "uidmap", program: "newuidmap" },
  { name: "rootlesskit", program: "rootlesskit" },
  { name: "slirp4netns", program: "slirp4netns" },
] as const;

const PROGRAMS = [
  "dockerd",
  "setpriv",
  "useradd",
  ...ROOTLESS_PACKAGES.map(({ program }) => program),
];
const SCRIPTS = [
  "/usr/share/docker.io/contrib/dockerd-rootless.sh",
  "/usr/libexec/docker/dockerd-rootless.sh",
  "/usr/bin/dockerd-rootless.sh",
];
const USER_PREFIX = "berth-test-";
const TUN = "/dev/net/tun";
const LOOK_AGAIN_MS = 50;
const PATIENCE_MS = 60_000;
const run = promisify(execFile);

/** What this machine lacks for one; `undefined` where one can be started. */
export async function whyNoRootlessEngine(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "only root can make a user";
  for (const program of PROGRAMS) {
    if ((await findProgram(program)) === undefined) return `there is no ${program}`;
  }
  return (await findScript()) === undefined ? "there is no dockerd-rootless.sh" : undefined;
}

/**
 * Makes a user and starts their engine. Under control groups v1 it takes limits and does not enforce them (its cgroup driver is `none`), as it does under
 * v2 where no systemd delegates any to the user. Without an init system `/run/user/UID` is made here as well.
 */
export async function startRootlessEngine(): Promise<RootlessEngine> {
  await removeAbandoned();
  await openTun();

  await using undo = new AsyncDisposableStack();
  const account = await makeUser();
  undo.defer(() => removeUser(account));
  const { user, uid, home } = account;
  const runtimeFolder = `/run/user/${uid}`;
  await mkdir(runtimeFolder, { recursive: true, mode: 0o700 });
  await chown(runtimeFolder, uid, uid);

  const socket = join(runtimeFolder, "docker.sock");
  const endpoint = `unix://${socket}`;
  const daemon = await startDaemon(account, runtimeFolder);
  undo.defer(() => stopDaemon(daemon.process));
  const engine = await untilAnswering(endpoint, daemon);

  const kept = undo.move();
  return {
    ...{ user, uid, home, socket, endpoint, engine },
    loadJobImage: () => loadJobImage(engine),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Between the users of machines and images, and the ids that containers of users get. */
const LOWEST_UID = 30_000;
const UIDS = 20_000;

type Account = { readonly user: string; readonly uid: number; readonly home: string };
type Daemon = { readonly process: ReturnType<typeof spawn>; readonly log: string };

async function makeUser(): Promise<Account> {
  const user = `${USER_PREFIX}${process.pid}`;
  // A comment has no colons, which an owner's name has.
  const comment = Buffer.from(thisOwner()).toString("base64url");
  // All processes of this number are ended with it: no user of a container may have the same.
  const uid = String(LOWEST_UID + (process.pid % UIDS));
  const who = ["--uid", uid, "--create-home", "--user-group", "--comment", comment];
  await run("useradd", [...who, user]);
  const account = (await users()).find(({ user: name }) => name === user);
  if (account === undefined) throw new Error(`useradd made no user ${user}`);
  await giveIds(user);
  return account;
}

/** Where `useradd` did not do it already. */
async function giveIds(user: string): Promise<void> {
  for (const [file, flag] of [
    ["/etc/subuid", "--add-subuids"],
    ["/etc/subgid", "--add-subgids"],
  ] as const) {
    const lines = (await readFile(file, "utf8").catch(() => "")).split("\n");
    if (lines.some((line) => line.startsWith(`${user}:`))) continue;
    const ends = lines.map((line) => line.split(":").slice(1).map(Number));
    const first = Math.max(100_000, ...ends.map(([start = 0, size = 0]) => start + size));
    await run("usermod", [flag, `${first}-${first + 65_535}`, user]);
  }
}

async function removeUser({ user, uid, home }: Account): Promise<void> {
  await killAllOf(uid);
  await rm(`/run/user/${uid}`, { recursive: true, force: true });
  await rm(home, { recursive: true, force: true, maxRetries: 5 });
  await run("userdel", [user]);
}

/** Its init processes are the user's; what ran in containers ends with those. */
async function killAllOf(uid: number): Promise<void> {
  for (;;) {
    const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
    const owners = await Promise.all(
      pids.map((pid) =>
        stat(`/proc/${pid}`).then(
          ({ uid: owner }) => owner,
          () => undefined,
        ),
      ),
    );
    const theirs = pids.filter((_, index) => owners[index] === uid);
    if (theirs.length === 0) return;
    for (const pid of theirs) tryKill(Number(pid), "SIGKILL");
    await sleep(LOOK_AGAIN_MS);
  }
}

async function users(): Promise<(Account & { comment: string })[]> {
  const lines = (await readFile("/etc/passwd", "utf8")).split("\n");
  return lines.map((line) => {
    const [user = "", , uid, , comment = "", home = ""] = line.split(":");
    return { user, uid: Number(uid), comment, home };
  });
}

/** Users of processes that were killed. */
async function removeAbandoned(): Promise<void> {
  for (const account of await users()) {
    if (!account.user.startsWith(USER_PREFIX)) continue;
    const owner = Buffer.from(account.comment, "base64url").toString();
    if (!/:\d+:/.test(owner) || isOwnerAlive(owner)) continue;
    await removeUser(account);
  }
}

/** As most distributions have it; where there is no udev, nobody did that. */
async function openTun(): Promise<void> {
  await mkdir("/dev/net", { recursive: true });
  await run("sh", ["-c", `[ -e ${TUN} ] || mknod ${TUN} c 10 200`]);
  await chmod(TUN, 0o666);
}

async function startDaemon({ user, home }: Account, runtimeFolder: string): Promise<Daemon> {
  const script = (await findScript()) ?? "dockerd-rootless.sh";
  const log = join(home, "dockerd.log");
  await using output = await open(log, "w");
  const asUser = ["--reuid", user, "--regid", user, "--init-groups", "--inh-caps=-all"];
  const child = spawn("setpriv", [...asUser, "sh", script], {
    cwd: home,
    env: { PATH: searchPath(), HOME: home, XDG_RUNTIME_DIR: runtimeFolder },
    stdio: ["ignore", output.fd, output.fd],
    detached: true,
  });
  return { process: child, log };
}

async function findScript(): Promise<string | undefined> {
  for (const script of SCRIPTS) {
    const isThere = await stat(script).then(
      () => true,
      () => false,
    );
    if (isThere) return script;
  }
  return undefined;
}

async function untilAnswering(endpoint: string, daemon: Daemon): Promise<Engine> {
  const connect = { endpoint, env: {}, home: "/nonexistent", uid: 0, stateDir: "/nonexistent" };
  const giveUpAt = Date.now() + PATIENCE_MS;
  for (;;) {
    const engine = await connectEngine(connect).catch(() => undefined);
    if (engine !== undefined) return engine;
    if (daemon.process.exitCode !== null || Date.now() > giveUpAt) {
      const log = (await readFile(daemon.log, "utf8")).split("\n").slice(-20);
      throw new Error(`The rootless engine did not start:\n${log.join("\n")}`);
    }
    await sleep(LOOK_AGAIN_MS);
  }
}

/** It unmounts what it mounted, where it is given the time. */
async function stopDaemon(child: Daemon["process"]): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = once(child, "exit");
  tryKill(child.pid, "SIGTERM");
  await Promise.race([ended, sleep(10_000, undefined, { ref: false })]);
}

function tryKill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}

async function loadJobImage({ docker }: Engine): Promise<string> {
  const { engine, jobImage } = await testMachine();
  const image = (await engine.docker.getImage(jobImage).get()) as Readable;
  const loading = Readable.from(await docker.loadImage(image));
  loading.resume();
  await once(loading, "end");
  // Looked for, and made where it is missing; nothing is built on it here.
  await docker.getImage(jobImage).tag({ repo: "berth-base", tag: "bookworm" });
  return jobImage;
}
