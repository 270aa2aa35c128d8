import { textOf } from "../../runner/errors.ts";
import type { Engine } from "../containers/connect-engine.ts";
import { describeEngine } from "../containers/describe-engine.ts";
import type { EngineFacts } from "./host-facts.ts";

/** Kinds of engines as the configuration names them. */
export type EngineKind = "docker" | "rootless" | "podman";

/** Longer than an engine takes that is only busy. */
const ANSWER_MS = 5000;

export type ProbeEnginesOptions = {
  /** See `ProbeTerms`. */
  connectEngine(endpoint: string, signal: AbortSignal): Promise<Engine>;
  readonly preferred?: EngineKind | undefined;
  readonly chosen?: string | undefined;
  readonly maybe?: readonly string[];
  /** A socket that only root may open is reached all the same. */
  readonly sudo: boolean;
  readonly signal: AbortSignal;
};

type Place = {
  readonly endpoint: string;
  /** `shut`: the user may not open it. */
  readonly state: "open" | "shut";
  /** Nothing is said of it when no engine answers. */
  readonly isOptional: boolean;
};

/**
 * The engines of a machine: the chosen one, first, and those at the sockets where engines listen.
 *
 * @param sockets Lines `open PATH` and `shut PATH` of the probe's script.
 */
export async function probeEngines(
  sockets: string,
  options: ProbeEnginesOptions,
): Promise<EngineFacts[]> {
  const { chosen, preferred } = options;
  const places = placesOf(sockets, options);
  const answers = await Promise.all(places.map((place) => probeEngine(place, options)));
  // One engine may listen at several sockets.
  const seen = new Set<string>();
  const engines = answers.flatMap((facts) => {
    if (facts === undefined || (facts.id !== "" && seen.has(facts.id))) return [];
    seen.add(facts.id);
    return [facts];
  });
  const isChosen = chosen === undefined ? defaultOf(engines, preferred) : chosen;
  return engines.map((facts) => ({ ...facts, isDefault: facts.endpoint === isChosen }));
}

function placesOf(sockets: string, { chosen, maybe = [] }: ProbeEnginesOptions): Place[] {
  const found = [...sockets.matchAll(/^(open|shut) (\/.*)$/gm)].map(
    ([, state, path = ""]): Place => ({
      endpoint: `unix://${path}`,
      state: state === "shut" ? "shut" : "open",
      isOptional: false,
    }),
  );
  const all = new Map<string, Place>();
  for (const endpoint of chosen === undefined ? [] : [chosen]) {
    all.set(endpoint, { endpoint, state: "open", isOptional: false });
  }
  for (const place of found) all.set(place.endpoint, place);
  for (const endpoint of maybe) {
    const isChosen = endpoint === chosen;
    all.set(endpoint, { endpoint, state: "open", isOptional: !isChosen });
  }
  return [...all.values()];
}

/** Which one jobs get: a usable one of the kind that is wished for, else of the first kind that there is. */
function defaultOf(
  engines: readonly EngineFacts[],
  preferred: EngineKind | undefined,
): string | undefined {
  const wanted: EngineKind[] =
    preferred === undefined ? ["docker", "rootless", "podman"] : [preferred];
  const inOrder = wanted.flatMap((kind) => engines.filter((engine) => kindOf(engine) === kind));
  return (inOrder.find(({ usable }) => usable) ?? inOrder[0])?.endpoint;
}

/** As the configuration names it. Podman is Podman whether or not it runs rootless. */
export function kindOf({ kind, rootless }: Pick<EngineFacts, "kind" | "rootless">): EngineKind {
  if (kind === "podman") return "podman";
  return rootless ? "rootless" : "docker";
}

async function probeEngine(
  { endpoint, state, isOptional }: Place,
  { connectEngine, sudo, signal }: ProbeEnginesOptions,
): Promise<EngineFacts | undefined> {
  const throughSudo = state === "shut" && sudo;
  if (state === "shut" && !sudo) return shut(endpoint);
  const patience = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
  try {
    const engine = await connectEngine(endpoint, patience);
    const description = await describeEngine(engine, patience);
    const { version, apiVersion } = engine;
    const facts = { endpoint, isDefault: false, usable: true, throughSudo, version, apiVersion };
    return { ...facts, ...description, ...whyForeign(description.osType) };
  } catch (error) {
    signal.throwIfAborted();
    if (isOptional) return undefined;
    const message = patience.aborted
      ? `it did not answer within ${ANSWER_MS / 1000} s`
      : textOf(error);
    const reason = /\([^()]*\): (.+)$/m.exec(message)?.[1] ?? message;
    return {
      ...unknownEngine(endpoint),
      throughSudo,
      reason: `No engine answers at ${endpoint}: ${reason.replace(/\.?$/, ".")}`,
      remedy: "Start it (`sudo systemctl start docker`), or remove the socket it left.",
    };
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
    id: "",
    kind: endpoint.includes("podman") ? "podman" : "docker",
    endpoint,
    isDefault: false,
    usable: false,
    throughSudo: false,
    rootless: /\/run\/user\/|\.docker\/run/.test(endpoint),
    version: null,
    apiVersion: null,
    osType: null,
    storageDriver: null,
    cgroupDriver: null,
    cgroupVersion: null,
    runtimes: [],
    cdi: false,
    enforcesLimits: false,
    runc: null,
  };
}
