import { Agent, type ClientRequestArgs } from "node:http";
import type { Duplex } from "node:stream";
import Docker from "dockerode";
import { BerthError, textOf } from "../../runner/errors.ts";
import { answerOf, type Engine } from "./connect-engine.ts";
import { reasonOf } from "./engine-error.ts";
import { hearCutAnswers } from "./hear-cut-answers.ts";
import { type EngineCommand, tellCommands } from "./tell-commands.ts";

export type TunnelOptions = {
  /** A new stream of bytes to the engine's socket. */
  dial(signal: AbortSignal): Promise<Duplex>;
  /** For errors and tables: `unix:///var/run/docker.sock`. */
  readonly endpoint: string;
  readonly dockerConfigDir: string;
  /** The longest wait for the engine's first answer, in milliseconds. Default 10 s. */
  readonly timeoutMs?: number;
  /** Most streams at once that requests and logs use; further ones wait for one that ends. Attached streams come on top. Default 64. */
  readonly maxStreams?: number;
  /** Gives up what is being dialled. */
  readonly signal?: AbortSignal;
  onCommand?(command: EngineCommand): void;
};

const TIMEOUT_MS = 10_000;
const MOST_STREAMS = 64;
/** Streams that wait for a next request; where each is a process on the machine, more would be a burden. */
const MOST_IDLE = 3;

/**
 * An engine that is reached over streams which `dial` opens. Streams are used again for further requests. Once it has answered, a stream that
 * breaks or cannot be opened is an `ENGINE_LOST` to whoever asks.
 *
 * @throws {BerthError} `ENGINE_NOT_FOUND`, and what `dial` throws.
 */
export async function connectThroughTunnel(options: TunnelOptions): Promise<Engine> {
  const { endpoint, dockerConfigDir, timeoutMs = TIMEOUT_MS, onCommand } = options;
  const agent = new TunnelAgent(options);
  // dockerode would fill what is left out from this process's environment, hence every key. The agent decides where a stream leads; what looks
  // like a path only keeps dockerode from taking addresses apart.
  const settings = { protocol: "http" as const, socketPath: endpoint, agent };
  const nothing = { host: undefined, port: undefined, timeout: undefined };
  const docker = new Docker({ ...nothing, ...settings });
  hearCutAnswers(docker);
  if (onCommand !== undefined) tellCommands(docker, (command) => onCommand(command));

  try {
    const { Version, ApiVersion } = await answerOf(docker, timeoutMs);
    agent.hasAnswered = true;
    const engine = { docker, endpoint, version: Version, apiVersion: ApiVersion };
    return { ...engine, source: "ssh", dockerConfigDir };
  } catch (error) {
    agent.destroy();
    if (error instanceof BerthError) throw error;
    throw new BerthError("ENGINE_NOT_FOUND", {
      message: `The container engine at ${endpoint} does not answer over SSH: ${reasonOf(error)}.`,
      remedy: "See whether it runs on that machine: `docker version` there.",
      cause: error,
    });
  }
}

/** What Node's HTTP client asks of a socket beyond a stream. */
type SocketLike = Duplex & {
  setKeepAlive(): unknown;
  setNoDelay(): unknown;
  setTimeout(): unknown;
  ref(): unknown;
  unref(): unknown;
};

/** Node's own agent, with streams that are dialled. */
class TunnelAgent extends Agent {
  readonly #dial: TunnelOptions["dial"];
  readonly #signal: AbortSignal;
  hasAnswered = false;

  constructor({ dial, maxStreams = MOST_STREAMS, signal }: TunnelOptions) {
    super({ keepAlive: true, maxSockets: maxStreams, maxFreeSockets: MOST_IDLE });
    this.#dial = dial;
    this.#signal = signal ?? new AbortController().signal;
  }

  override createConnection(
    _options: ClientRequestArgs,
    done?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    this.#dial(this.#signal).then(
      (stream) => done?.(null, asSocket(stream)),
      // Where there is an error Node looks at no stream.
      (error) => done?.(this.#asLost(error), undefined as never),
    );
  }

  #asLost(error: unknown): Error {
    if (!this.hasAnswered && error instanceof Error) return error;
    return new BerthError("ENGINE_LOST", {
      message: `The container engine cannot be reached any more: ${textOf(error)}`,
      remedy: error instanceof BerthError ? error.remedy : undefined,
      cause: error,
    });
  }
}

function asSocket(stream: Duplex): SocketLike {
  const same = () => stream;
  return Object.assign(stream, {
    setKeepAlive: same,
    setNoDelay: same,
    setTimeout: same,
    ref: same,
    unref: same,
  });
}
