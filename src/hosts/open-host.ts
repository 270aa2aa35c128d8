import { BerthError } from "../../runner/errors.ts";
import { type ConnectEngineOptions, connectEngine } from "../containers/connect-engine.ts";
import { factsOfEngine } from "./facts-of-engine.ts";
import { findEngine } from "./find-engine.ts";
import type { HostAccess } from "./host-access.ts";
import type { HostFacts } from "./host-facts.ts";
import { localShell } from "./machine-shell.ts";
import type { EngineKind } from "./probe-engines.ts";
import { probeMachine } from "./probe-machine.ts";
import type { SetupEvent } from "./setup-step.ts";
import type { SshTarget } from "./ssh/ssh-connection.ts";

/** A machine as the configuration has it. Without `docker` and `ssh` it is this one, and its engine is found as by `berth run`. */
export type HostTarget = {
  readonly name: string;
  /** Endpoint of an engine; with `ssh` a socket of that machine. */
  readonly docker?: string | undefined;
  readonly ssh?: Omit<SshTarget, "name"> | undefined;
  /** Which engine jobs get by default, where there are several. */
  readonly engine?: EngineKind | undefined;
  /** For an engine at `tcp://`. */
  readonly tls?: ConnectEngineOptions["tls"];
};

export type OpenHostOptions = {
  /** How this machine's own engine is found, and who asks. */
  readonly connect: ConnectEngineOptions;
  /** Hears how Berth's own engine is started again. */
  report?(event: SetupEvent): void;
};

/** A way to a machine; nothing is connected to before it is needed. */
export async function openHost(target: HostTarget, options: OpenHostOptions): Promise<HostAccess> {
  if (target.ssh !== undefined) throw new BerthError("NOT_SUPPORTED_YET", { message: "soon" });
  const isSocket = target.docker === undefined || /^unix:|^\//.test(target.docker);
  return isSocket ? here(target, options) : elsewhere(target, target.docker ?? "", options);
}

/** This machine. */
function here(
  { name, docker, engine: preferred }: HostTarget,
  options: OpenHostOptions,
): HostAccess {
  const { report = () => {} } = options;
  const connect = named(options.connect, docker);
  const probe = (signal: AbortSignal) => probeMachine({ connect, preferred, signal });
  return {
    name,
    hasNamedEngine: Boolean(connect.endpoint || connect.env.DOCKER_HOST),
    shell: localShell(connect.env),
    address: "localhost",
    sshCommand: undefined,
    probe,
    async engine(endpoint, signal) {
      if (endpoint !== undefined) return await connectEngine({ ...connect, endpoint });
      // Berth's own may have to be started first.
      if (preferred === undefined) return await findEngine({ connect, report, signal });
      const wanted = defaultEndpoint(await probe(signal));
      if (wanted === undefined) throw noEngine(name);
      return await connectEngine({ ...connect, endpoint: wanted });
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

/** An engine that is spoken to over the network; nothing else of its machine can be asked. */
function elsewhere(
  { name, tls }: HostTarget,
  endpoint: string,
  { connect }: OpenHostOptions,
): HostAccess {
  const engine = () => connectEngine({ ...named(connect, endpoint), tls });
  return {
    name,
    hasNamedEngine: true,
    shell: undefined,
    address: URL.parse(endpoint)?.hostname ?? endpoint,
    sshCommand: undefined,
    probe: async (signal) => await factsOfEngine(await engine(), signal),
    engine,
    [Symbol.asyncDispose]: async () => {},
  };
}

function named(connect: ConnectEngineOptions, endpoint: string | undefined): ConnectEngineOptions {
  return endpoint === undefined
    ? connect
    : { ...connect, endpoint, endpointSource: "docker in berth.yml" };
}

function defaultEndpoint({ engines }: HostFacts): string | undefined {
  return engines.find(({ isDefault }) => isDefault)?.endpoint;
}

function noEngine(name: string): BerthError {
  return new BerthError("ENGINE_NOT_FOUND", {
    message: `No container engine was found on ${name}.`,
    remedy: `\`berth host setup ${name}\` says how to get one there.`,
  });
}
