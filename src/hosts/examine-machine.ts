import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BerthError } from "../../runner/errors.ts";
import { describeJobImage } from "../../runner/image/job-image.ts";
import {
  type ConnectEngineOptions,
  connectEngine,
  type Engine,
} from "../containers/connect-engine.ts";
import { hasImage } from "../containers/images.ts";
import { provideNodeVolume } from "./node-volume-step.ts";

/** One thing Berth needs, and whether it is there. */
export type Finding = {
  readonly name: "engine" | "job image" | "Node 20, 24" | "state folder";
  readonly ok: boolean;
  readonly detail: string;
  readonly remedy?: string;
};

const FIX = 'Run "berth doctor --fix".';

/** Looks at what a machine has and what it lacks; changes nothing. */
export async function examineMachine(
  connect: ConnectEngineOptions,
  signal: AbortSignal,
): Promise<Finding[]> {
  const found = await findEngine(connect);
  const findings = "engine" in found ? await examineEngine(found.engine, connect, signal) : [found];
  return [...findings, await examineStateFolder(connect.stateDir)];
}

async function findEngine(connect: ConnectEngineOptions): Promise<{ engine: Engine } | Finding> {
  try {
    return { engine: await connectEngine(connect) };
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    const { message, remedy = FIX } = error;
    return { name: "engine", ok: false, detail: message, remedy };
  }
}

async function examineEngine(
  { docker, endpoint, version, source }: Engine,
  { stateDir }: ConnectEngineOptions,
  signal: AbortSignal,
): Promise<Finding[]> {
  const { tag } = await describeJobImage();
  const hasJobImage = await hasImage(docker, tag);
  const node = provideNodeVolume(docker, { image: tag, cacheFolder: join(stateDir, "node") });
  const hasNode = await node.isDone(signal);
  const whence = source === "berth" ? "started by Berth" : `found as ${source}`;
  return [
    { name: "engine", ok: true, detail: `Docker ${version} at ${endpoint}, ${whence}` },
    hasJobImage
      ? { name: "job image", ok: true, detail: tag }
      : { name: "job image", ok: false, detail: `${tag} is not built yet`, remedy: FIX },
    hasNode
      ? { name: "Node 20, 24", ok: true, detail: "in a volume for JavaScript actions" }
      : { name: "Node 20, 24", ok: false, detail: "not in a volume yet", remedy: FIX },
  ];
}

async function examineStateFolder(folder: string): Promise<Finding> {
  let present = folder;
  while (!existsSync(present)) present = dirname(present);
  const { bavail, bsize } = await statfs(present);
  const freeGb = Math.floor((bavail * bsize) / 1e9);
  return { name: "state folder", ok: true, detail: `${folder}, ${freeGb} GB free` };
}
