import type { Duplex } from "node:stream";
import type { MachineShell } from "../machine-shell.ts";

/** Where a machine is, and who one is there. What is left out is taken from `~/.ssh/config`, else as `ssh` itself has it. */
export type SshTarget = {
  /** For errors: the host's name in `berth.yml`. */
  readonly name: string;
  /** `[user@]address[:port]`; the address may be a `Host` of `~/.ssh/config`. */
  readonly destination: string;
  /** Absolute. */
  readonly identityFile?: string | undefined;
  /** An OpenSSH certificate for that key; `identityFile` with `-cert.pub` is found by itself. */
  readonly certificateFile?: string | undefined;
  readonly passphrase?: string | undefined;
  readonly password?: string | undefined;
  /** Fingerprint, `SHA256:…`; pinned. Else `known_hosts`. */
  readonly hostKey?: string | undefined;
  /** `user@bastion:22`, several with commas, as `ProxyJump`. */
  readonly jump?: string | undefined;
  /** Whether `sudo -n` may be used where the login may not open an engine's socket. Default true. */
  readonly sudo?: boolean | undefined;
};

export type SshEnvironment = {
  readonly home: string;
  /** `SSH_AUTH_SOCK` and `USER` are read. */
  readonly env: { readonly [name: string]: string | undefined };
};

/**
 * One connection to a machine that carries everything. It is made when it is first needed, kept alive, and made anew, with back-off, when it
 * breaks; each call waits for it.
 */
export type SshConnection = AsyncDisposable & {
  readonly shell: MachineShell;
  /** As it came out of `~/.ssh/config`: for what is shown to people. */
  readonly address: { readonly user: string; readonly host: string; readonly port: number };
  /**
   * A stream of bytes to a unix socket of the machine. Where sshd forbids forwarding, or the login may not open the socket, it goes through
   * `docker system dial-stdio`, with `sudo -n` where that is needed.
   *
   * @throws {BerthError} `HOST_UNREACHABLE`, `HOST_KEY_UNKNOWN`, `HOST_KEY_CHANGED`, `HOST_LOGIN_REFUSED`, `ENGINE_NOT_FOUND`
   */
  dial(socketPath: string, signal: AbortSignal): Promise<Duplex>;
  /** Hears each time the connection is lost, with the reason, and each time it is there again (`undefined`). */
  onChange(listener: (lost: Error | undefined) => void): Disposable;
};

/** What `openSshConnection` is given beside the target. */
export type SshOptions = {
  readonly environment: SshEnvironment;
  /** Longest wait for the machine to answer, in milliseconds. Default 15 s. */
  readonly connectTimeoutMs?: number;
  /** Between two signs of life, in milliseconds; three unanswered end the connection. Default 5 s. */
  readonly keepaliveMs?: number;
};
