import type { Engine } from "../containers/connect-engine.ts";
import type { HostFacts } from "./host-facts.ts";
import type { MachineShell } from "./machine-shell.ts";

/** A way to one machine: its engines, and commands on it. Whoever opened it disposes of it. */
export type HostAccess = AsyncDisposable & {
  readonly name: string;
  /** Somebody named the engine, and means no other of the machine. */
  readonly hasNamedEngine: boolean;
  /** `undefined` where only an engine answers (`tcp://`). */
  readonly shell: MachineShell | undefined;
  /**
   * Looks at the machine anew: system, engines, GPUs. Changes nothing.
   *
   * @throws {BerthError} `HOST_UNREACHABLE`, `HOST_KEY_UNKNOWN`, `HOST_KEY_CHANGED`, `HOST_LOGIN_REFUSED`, `ENGINE_NOT_FOUND`
   */
  probe(signal: AbortSignal): Promise<HostFacts>;
  /**
   * An engine of the machine, by its `endpoint` in `HostFacts.engines`; the one that jobs get by default when left out. The same object each time, as
   * long as the connection lives.
   *
   * @throws {BerthError} As `probe`.
   */
  engine(endpoint: string | undefined, signal: AbortSignal): Promise<Engine>;
  /** A message that tells how a person would reach a port of the machine: `gpu-1.example.com`; `localhost` for this one. */
  readonly address: string;
  /** Hears each time the connection is lost, with the reason, and each time it is there again. Absent where there is none to lose. */
  onChange?(listener: (lost: Error | undefined) => void): Disposable;
  /** How a person would log in: `ssh -p 2222 ubuntu@gpu-1`; `undefined` for this machine. */
  readonly sshCommand: string | undefined;
};
