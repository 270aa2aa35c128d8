import { BerthError } from "../../runner/errors.ts";
import { type ConnectEngineOptions, connectEngine } from "../containers/connect-engine.ts";
import { describeEngine } from "../containers/describe-engine.ts";
import { engineFolder } from "./engine-folder.ts";
import type { EngineFacts } from "./host-facts.ts";

/** Longer than an engine takes that is only busy. */
const ANSWER_MS = 5000;

/**
 * The engines of this machine: the one that `berth run` uses, first, and those at the sockets where engines usually listen.
 *
 * @param sockets Lines `open PATH` and `shut PATH` of the probe's script.
 */
export async function probeEngines(
  connect: ConnectEngineOptions,
  { sockets, signal }: { readonly sockets: string; readonly signal: AbortSignal },
): Promise<EngineFacts[]> {
  const found = [...sockets.matchAll(/^(open|shut) (\/.*)$/gm)].map(([, state, path = ""]) => ({
    endpoint: `unix://${path}`,
    isOpen: state === "open",
  }));
  const own = `unix://${engineFolder(connect.stateDir).socket}`;
  const chosen = await chosenEndpoint(connect);
  const endpoints = new Map([
    ...(chosen === undefined ? [] : [[chosen, true] as const]),
    ...found.map(({ endpoint, isOpen }) => [endpoint, isOpen] as const),
    [own, true] as const,
  ]);
  const probed = await Promise.all(
    [...endpoints].map(async ([endpoint, isOpen]) =>
      isOpen
        ? probeEngine(endpoint, { connect, signal, isDefault: endpoint === chosen })
        : { facts: shut(endpoint), id: "" },
    ),
  );

  // One engine may listen at several sockets, and Berth's own need not be there.
  const seen = new Set<string>();
  return probed.flatMap(({ facts, id }) => {
    if (!facts.usable && facts.endpoint === own && chosen !== own) return [];
    if (id !== "" && seen.has(id)) return [];
    seen.add(id);
    return [facts];
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

async function probeEngine(
  endpoint: string,
  {
    connect,
    signal,
    isDefault,
  }: { connect: ConnectEngineOptions; signal: AbortSignal; isDefault: boolean },
): Promise<{ facts: EngineFacts; id: string }> {
  try {
    const engine = await connectEngine({ timeoutMs: ANSWER_MS, ...connect, endpoint });
    const patience = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
    const { id, ...description } = await describeEngine(engine, patience);
    const { version, apiVersion } = engine;
    const facts = { endpoint, isDefault, usable: true, version, apiVersion, ...description };
    return { id, facts: { ...facts, ...whyForeign(description.osType) } };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof BerthError)) throw error;
    const reason = /\(--docker\): (.+)$/m.exec(error.message)?.[1] ?? error.message;
    const why = {
      reason: `No engine answers at ${endpoint}: ${reason.replace(/\.?$/, ".")}`,
      remedy: "Start it (`sudo systemctl start docker`), or remove the socket it left.",
    };
    return { id: "", facts: { ...unknownEngine(endpoint), isDefault, ...why } };
  }
}

function whyForeign(osType: string | null) {
  if (osType === null || osType === "linux") return {};
  return {
    usable: false,
    reason: `It runs ${osType} containers, and Berth's jobs need Linux ones.`,
    remedy: "Switch the engine to Linux containers.",
  };
}

function shut(endpoint: string): EngineFacts {
  return {
    ...unknownEngine(endpoint),
    reason: `This user may not open ${endpoint.replace("unix://", "")}.`,
    remedy:
      "Let this user use it (`sudo usermod -aG docker $USER`, then log in again), or set up rootless Docker.",
  };
}

function unknownEngine(endpoint: string): EngineFacts {
  return {
    kind: endpoint.includes("podman") ? "podman" : "docker",
    endpoint,
    isDefault: false,
    usable: false,
    rootless: /\/run\/user\/|\.docker\/run/.test(endpoint),
    version: null,
    apiVersion: null,
    osType: null,
    storageDriver: null,
    cgroupDriver: null,
    cgroupVersion: null,
    runtimes: [],
    enforcesLimits: false,
    runc: null,
  };
}
