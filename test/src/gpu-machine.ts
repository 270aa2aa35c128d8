import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type Docker from "dockerode";
import { connectEngine } from "../../src/containers/connect-engine.ts";
import { type EngineFolder, engineFolder } from "../../src/hosts/engine-folder.ts";
import { findProgram, searchPath } from "../../src/hosts/find-program.ts";
import { removeEngine, stopEngine } from "../../src/hosts/own-engine.ts";
import { testMachine } from "../engine.ts";
import { scriptedGpus } from "../scripted-gpus.ts";

/** An engine of its own that hands out GPUs which are not there. Disposing of it ends the engine and removes all that it held. */
export type GpuMachine = AsyncDisposable & {
  readonly docker: Docker;
  readonly endpoint: string;
  readonly jobImage: string;
  /** For who probes this machine: `nvidia-smi` lists the GPUs. */
  readonly env: { readonly PATH: string };
};

const LOOK_AGAIN_MS = 100;
const PATIENCE_MS = 60_000;

/** Only root may give a dockerd a network of its own. */
export async function canStartGpuMachine(): Promise<boolean> {
  const programs = await Promise.all(["dockerd", "unshare", "ip"].map(findProgram));
  return process.getuid?.() === 0 && !programs.includes(undefined);
}

/** See `scriptedGpus`. */
export async function startGpuMachine(uuids: readonly string[]): Promise<GpuMachine> {
  await using undo = new AsyncDisposableStack();
  const state = await mkdtemp(join(tmpdir(), "berth-gpu-"));
  undo.defer(() => rm(state, { recursive: true, force: true }));
  const folder = engineFolder(state);
  await mkdir(folder.programs, { recursive: true });
  for (const [name, script] of scriptedGpus(uuids)) {
    await writeFile(join(folder.programs, name), script, { mode: 0o755 });
  }

  undo.defer(async () => {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    await stopEngine(folder, signal);
    await removeEngine(folder, signal);
  });
  const endpoint = `unix://${folder.socket}`;
  const docker = await startEngine(folder, endpoint);
  const jobImage = await copyJobImage(docker);

  const kept = undo.move();
  return {
    ...{ docker, jobImage, endpoint },
    env: { PATH: `${folder.programs}${delimiter}${process.env.PATH}` },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** In a network of its own, so that its rules and bridges are not those of this machine's engine. */
async function startEngine(folder: EngineFolder, endpoint: string): Promise<Docker> {
  const options = [
    ...["--data-root", folder.data, "--exec-root", folder.exec],
    ...["-H", endpoint, "--pidfile", folder.pidFile],
  ];
  const inside = ["sh", "-c", 'ip link set lo up; exec dockerd "$@"', "sh", ...options];
  const PATH = `${folder.programs}${delimiter}${searchPath()}`;
  await using log = await open(folder.log, "w");
  const child = spawn("unshare", ["--net", ...inside], {
    env: { ...process.env, PATH },
    stdio: ["ignore", log.fd, log.fd],
  });
  const giveUpAt = Date.now() + PATIENCE_MS;
  for (;;) {
    const connect = { env: {}, home: homedir(), uid: process.getuid?.() ?? 0, endpoint };
    const engine = await connectEngine({ ...connect, stateDir: folder.path }).catch(
      () => undefined,
    );
    if (engine !== undefined) return engine.docker;
    if (child.exitCode !== null || Date.now() > giveUpAt) {
      throw new Error(`dockerd did not start:\n${await readFile(folder.log, "utf8")}`);
    }
    await sleep(LOOK_AGAIN_MS);
  }
}

async function copyJobImage(docker: Docker): Promise<string> {
  const { engine, jobImage } = await testMachine();
  const image = await engine.docker.getImage(jobImage).get();
  const loading = (await docker.loadImage(image)) as Readable;
  loading.resume();
  await once(loading, "end");
  // Looked for, and made where it is missing; nothing is built on it here.
  await docker.getImage(jobImage).tag({ repo: "berth-base", tag: "bookworm" });
  return jobImage;
}
