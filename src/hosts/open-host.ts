import { join } from "node:path";
import { BerthError } from "../../runner/errors.ts";
import {
  type ConnectEngineOptions,
  connectEngine,
  type Engine,
} from "../containers/connect-engine.ts";
import { connectThroughTunnel } from "../containers/tunnel-engine.ts";
import { factsOfEngine } from "./facts-of-engine.ts";
import { findEngine } from "./find-engine.ts";
import type { HostAccess } from "./host-access.ts";
import type { HostFacts } from "./host-facts.ts";
import { localShell } from "./machine-shell.ts";
import type { EngineKind } from "./probe-engines.ts";
import { probeMachine } from "./probe-machine.ts";
import { probeWith } from "./probe-with.ts";
import type { SetupEvent } from "./setup-step.ts";
import type { SshConnection, SshTarget } from "./ssh/ssh-connection.ts";

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
  if (target.ssh !== undefined) return await overSsh(target, target.ssh, options);
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

async function overSsh(
  { name, docker, engine: preferred }: HostTarget,
  ssh: Omit<SshTarget, "name">,
  { connect }: OpenHostOptions,
): Promise<HostAccess> {
  // Most commands speak to no machine but this one.
  const { openSshConnection } = await import("./ssh/open-ssh-connection.ts");
  const { home, env } = connect;
  const connection = openSshConnection({ name, ...ssh }, { environment: { home, env } });
  const open = engineOpener(connection, connect);
  const chosen = docker?.replace(/^(?:unix:\/\/)?\//, "unix:///");
  let byDefault = chosen;

  async function probe(signal: AbortSignal) {
    const facts = await probeWith(connection.shell, {
      connectEngine: open,
      ...{ preferred, chosen, signal },
      sudo: ssh.sudo !== false,
    });
    byDefault = defaultEndpoint(facts);
    return facts;
  }
  const { user, host, port } = connection.address;
  return {
    name,
    hasNamedEngine: chosen !== undefined,
    shell: connection.shell,
    address: host,
    sshCommand: `ssh ${port === 22 ? "" : `-p ${port} `}${user}@${host}`,
    probe,
    async engine(endpoint, signal) {
      if (endpoint === undefined && byDefault === undefined) await probe(signal);
      const wanted = endpoint ?? byDefault;
      if (wanted === undefined) throw noEngine(name);
      return await open(wanted, signal);
    },
    onChange: (listener) => connection.onChange(listener),
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

function defaultEndpoint({ engines }: HostFacts): string | undefined {
  return engines.find(({ isDefault }) => isDefault)?.endpoint;
}

type Opener = (endpoint: string, signal: AbortSignal) => Promise<Engine>;

/** One engine object for each endpoint: it holds the streams that are open to it. */
function engineOpener(
  connection: SshConnection,
  { home, env, onCommand }: ConnectEngineOptions,
): Opener {
  const opened = new Map<string, Promise<Engine>>();
  return async (endpoint, signal) => {
    signal.throwIfAborted();
    const known = opened.get(endpoint);
    if (known !== undefined) return await known;
    const socket = endpoint.replace(/^unix:\/\//, "");
    const engine = connectThroughTunnel({
      dial: (dialling) => connection.dial(socket, dialling),
      endpoint,
      dockerConfigDir: env.DOCKER_CONFIG || join(home, ".docker"),
      ...(onCommand !== undefined && { onCommand }),
    });
    opened.set(endpoint, engine);
    try {
      return await engine;
    } catch (error) {
      opened.delete(endpoint); // whoever asks next tries again
      throw error;
    }
  };
}

function noEngine(name: string): BerthError {
  return new BerthError("ENGINE_NOT_FOUND", {
    message: `No container engine was found on ${name}.`,
    remedy: `\`berth host setup ${name}\` says how to get one there.`,
  });
}
