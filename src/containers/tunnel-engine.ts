import type { Duplex } from "node:stream";
import type { Engine } from "./connect-engine.ts";
import type { EngineCommand } from "./tell-commands.ts";

export type TunnelOptions = {
  /** A new stream of bytes to the engine's socket. */
  dial(signal: AbortSignal): Promise<Duplex>;
  /** For errors and tables: `unix:///var/run/docker.sock`. */
  readonly endpoint: string;
  readonly dockerConfigDir: string;
  readonly timeoutMs?: number;
  /** Most streams at once; further requests wait for one that ends. */
  readonly maxStreams?: number;
  onCommand?(command: EngineCommand): void;
};

/** See `connectThroughTunnel`. */
export type ConnectThroughTunnel = (options: TunnelOptions) => Promise<Engine>;
