import { BerthError } from "../../runner/errors.ts";
import { type ConnectEngineOptions, connectEngine } from "../containers/connect-engine.ts";
import { engineFolder } from "./engine-folder.ts";
import type { HostFacts } from "./host-facts.ts";
import { localShell } from "./machine-shell.ts";
import type { EngineKind } from "./probe-engines.ts";
import { probeWith } from "./probe-with.ts";

export type ProbeOptions = {
  readonly connect: ConnectEngineOptions;
  /** Which engine jobs get; left out: the one that \`berth run\` finds. */
  readonly preferred?: EngineKind | undefined;
  readonly signal: AbortSignal;
  /** How long one program of the machine may take, in seconds. */
  readonly limitS?: number;
  /** Stands before /sys, /proc and /dev where hardware is looked for. */
  readonly root?: string;
};

/** Longer than an engine takes that is only busy. */
const ANSWER_MS = 5000;

/** Looks at this machine: system, engines, GPUs, and what should be put right. Changes nothing; what it cannot find out is `null`. */
export async function probeMachine({
  connect,
  preferred,
  signal,
  ...limits
}: ProbeOptions): Promise<HostFacts> {
  const own = `unix://${engineFolder(connect.stateDir).socket}`;
  return await probeWith(localShell(connect.env), {
    connectEngine: (endpoint) => connectEngine({ timeoutMs: ANSWER_MS, ...connect, endpoint }),
    chosen: preferred === undefined ? await chosenEndpoint(connect) : undefined,
    preferred,
    // Berth's own need not be there.
    maybe: [own],
    folders: [connect.stateDir],
    // Here nothing leads through sudo to a socket.
    sudo: false,
    signal,
    ...limits,
  });
}

async function chosenEndpoint(connect: ConnectEngineOptions): Promise<string | undefined> {
  try {
    return (await connectEngine({ timeoutMs: ANSWER_MS, ...connect })).endpoint;
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    return connect.endpoint ?? (connect.env.DOCKER_HOST || undefined);
  }
}
