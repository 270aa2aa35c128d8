import { spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { type EngineFolder, engineFolder } from "../../../src/hosts/engine-folder.ts";
import {
  enginePid,
  type IsAnswering,
  removeEngine,
  startEngine,
  stopEngine,
} from "../../../src/hosts/own-engine.ts";

const signal = new AbortController().signal;

/** Behaves as dockerd does towards whoever starts it; a real second one would fight with the first over the bridge. */
const FAKE_DOCKERD = `#!${process.execPath}
const { createServer } = require("node:net");
const { writeFileSync, existsSync, rmSync } = require("node:fs");
const flag = (name) => process.argv[process.argv.indexOf(name) + 1];
if (process.env.FAKE_FAILURE) { console.error(process.env.FAKE_FAILURE); process.exit(1); }
if (existsSync(flag("--pidfile"))) { console.error("pid file found"); process.exit(1); }
writeFileSync(flag("--pidfile"), String(process.pid));
const socket = flag("-H").replace("unix://", "");
rmSync(socket, { force: true });
createServer((connection) => connection.end()).listen(socket);
process.on("SIGTERM", () => process.exit(0));
`;

describe("an engine of Berth's own", () => {
  let state: string;
  let folder: EngineFolder;
  const path = process.env.PATH;

  beforeEach(async () => {
    state = await mkdtemp(join(tmpdir(), "berth-test-"));
    folder = engineFolder(state);
    await mkdir(join(state, "bin"));
    await writeFile(join(state, "bin/dockerd"), FAKE_DOCKERD);
    await chmod(join(state, "bin/dockerd"), 0o755);
    process.env.PATH = `${join(state, "bin")}:${path}`;
  });

  afterEach(async () => {
    await stopEngine(folder, signal);
    process.env.PATH = path;
    delete process.env.FAKE_FAILURE;
    await rm(state, { recursive: true });
  });

  it("is started detached, in a session of its own", async () => {
    await startEngine(folder, { isAnswering, signal });

    const pid = await enginePid(folder);
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    const session = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[3];
    expect(Number(session)).toBe(pid);
  });

  it("is started once, whoever asks again", async () => {
    await startEngine(folder, { isAnswering, signal });
    const first = await enginePid(folder);

    await startEngine(folder, { isAnswering, signal });

    expect(await enginePid(folder)).toBe(first);
  });

  it("is one engine when two processes start it at the same moment", async () => {
    await Promise.all([1, 2].map(() => startEngine(folder, { isAnswering, signal })));

    expect(await isAnswering(folder.socket, signal)).toBe(true);
    expect(await enginePid(folder)).toBeDefined();
  });

  it("is started again when it was killed and left its pid file", async () => {
    await startEngine(folder, { isAnswering, signal });
    const first = await enginePid(folder);
    process.kill(first ?? 0, "SIGKILL");
    await gone(folder);

    await startEngine(folder, { isAnswering, signal });

    expect(await enginePid(folder)).not.toBe(first);
  });

  it("is not mistaken for another process that got its number", async () => {
    const stranger = spawn("sleep", ["60"]);
    await mkdir(folder.path, { recursive: true });
    await writeFile(folder.pidFile, String(stranger.pid));

    expect(await enginePid(folder)).toBeUndefined();
    await startEngine(folder, { isAnswering, signal });
    await stopEngine(folder, signal);

    expect(stranger.exitCode).toBeNull();
    expect(stranger.signalCode).toBeNull();
    stranger.kill();
  });

  it("shows the last lines of its log when it does not start", async () => {
    process.env.FAKE_FAILURE = "failed to mount overlay: operation not permitted";

    await expect(startEngine(folder, { isAnswering, signal })).rejects.toMatchObject({
      code: "SETUP_FAILED",
      message: expect.stringContaining("operation not permitted"),
      remedy: expect.stringContaining(folder.log),
    });
  });

  it("leaves nothing behind when it is stopped and removed", async () => {
    await startEngine(folder, { isAnswering, signal });

    await stopEngine(folder, signal);
    await removeEngine(folder, signal);

    await expect(readFile(folder.log)).rejects.toMatchObject({ code: "ENOENT" });
    expect(await isAnswering(folder.socket, signal)).toBe(false);
  });
});

const isAnswering: IsAnswering = (socket) =>
  new Promise((resolve) => {
    const connection = createConnection(socket);
    connection.on("connect", () => {
      connection.destroy();
      resolve(true);
    });
    connection.on("error", () => resolve(false));
  });

async function gone(folder: EngineFolder): Promise<void> {
  while ((await enginePid(folder)) !== undefined) await new Promise((r) => setTimeout(r, 10));
}
