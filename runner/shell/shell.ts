import type { Readable, Writable } from "node:stream";
import type { Json } from "../expressions/template.ts";

/** What a shell says about where it runs, once, before its first command. */
export type ShellFacts = {
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly path: string;
  readonly arch: string;
  readonly libc: "glibc" | "musl" | "unknown";
  /** Absolute path of each program that was found on PATH. */
  readonly programs: { readonly [name: string]: string };
  /** The environment of the container itself. */
  readonly env: { readonly [name: string]: string };
};

/** One command for the shell. The whole of it is what a checkpoint's hash covers. */
export type Command = {
  /** The program, looked up on `env.PATH` (or the container's own PATH), and its arguments. */
  readonly argv: readonly string[];
  /** Absolute; a missing directory is result `{ started: false }`. */
  readonly cwd: string;
  /**
   * All variables on top of the container's own; any name without `=` or NUL is allowed, `null` removes one. Only what
   * changed since the command before is typed.
   */
  readonly env: { readonly [name: string]: string | null };
  /**
   * Letters and digits that are new in every command and part of the names of its files: with this hint a variable or path that differs from the one
   * before in nothing else need not be typed again.
   */
  readonly token?: string;
  /** Written before the command starts, folders made as needed; the shell's user owns them. */
  readonly write?: readonly {
    readonly path: string;
    readonly content: string | Uint8Array;
    readonly mode?: number;
  }[];
  /** Made empty before the command (after `write`), handed back and removed after it, whatever the exit code. */
  readonly collect?: readonly { readonly path: string; readonly limitBytes: number }[];
};

export type CommandResult = {
  /**
   * False: the program was not found, the directory is missing, or a file of `write` or `collect` could not be written (the
   * output says why); `reason` says which.
   */
  readonly started: boolean;
  readonly reason?: "no-program" | "no-directory" | "no-write";
  /** 0 to 255; killed by signal n is 128 + n. */
  readonly exitCode: number;
  /** By path; missing or empty files are absent. `truncated` when the file was longer than its limit. */
  readonly files: {
    readonly [path: string]: {
      readonly content: Buffer;
      readonly truncated: boolean;
      readonly sizeBytes: number;
    };
  };
  /** What `notes` gave; after a replay, what it gave in the earlier life. */
  readonly notes?: Json;
};

export type RunOptions = {
  /** Every byte the command prints, stdout and stderr in one, in order; synchronous and quick. */
  onOutput(chunk: Buffer): void;
  /** Aborting stops the command as GitHub's runner does: INT, after 7.5 s TERM, after 2.5 s KILL of the whole tree. */
  signal?: AbortSignal;
  /** Aborting kills the whole tree at once, whatever stage `signal` has reached. */
  kill?: AbortSignal;
  /**
   * Asked once when the command has ended, after its last `onOutput`: what the caller wants back with the result when this
   * command is replayed (the workflow commands it saw, say). Must be JSON.
   */
  notes?(): Json;
  /**
   * Texts in the command that differ from life to life of the job, such as tokens, of this life and of those before: commands that differ in nothing
   * else count as one when a checkpoint is compared.
   */
  volatile?: readonly string[];
};

/** A shell in a container (or on this machine) that runs one command at a time. */
export type Shell = AsyncDisposable & {
  readonly facts: ShellFacts;
  /**
   * Runs one command and waits for its end.
   *
   * @throws {BerthError} `SHELL_LOST` when the shell or its container is gone, `SHELL_PROTOCOL` when what comes
   * back is malformed, `JOURNAL_MISMATCH` when a stored checkpoint belongs to another command,
   * `SHELL_SUPERSEDED` when a newer process has taken this shell over: stop, and remove nothing.
   */
  run(command: Command, options: RunOptions): Promise<CommandResult>;
  /**
   * Asks whether this shell is still ours; to be done before what it stands on is removed, since a process that was stopped for a while
   * may have been replaced. A shell that does not answer within 5 s counts as ours.
   *
   * @throws {BerthError} `SHELL_SUPERSEDED`, `SHELL_LOST`
   */
  confirm(): Promise<void>;
  /** Aborted, with the reason, when the shell is lost. */
  readonly lost: AbortSignal;
  /**
   * True until the last command with a stored checkpoint has returned. What the caller tells the world until then has been
   * told in an earlier life.
   */
  readonly replaying: boolean;
};

/** One connection to a shell's standard streams, demultiplexed. Destroying any of them ends the connection. */
export type ShellConnection = AsyncDisposable & {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
};

/** Where a shell lives: a container's attach, a local `/bin/sh`, later a pod. */
export type ShellBackend = {
  /** Connects to the streams. The first time the shell has not printed anything before. */
  attach(signal: AbortSignal): Promise<ShellConnection>;
  /** Starts the process behind the streams; called once after the first `attach`. */
  start(signal: AbortSignal): Promise<void>;
  /**
   * Whether what is behind the streams still runs; asked when a connection has ended. With it a connection that was cut is made anew; without it
   * the end of a connection is the end of the shell.
   *
   * @throws When it cannot be asked now; it is asked again.
   */
  isRunning?(signal: AbortSignal): Promise<boolean>;
  /** How long a connection that was cut may take to come back, in milliseconds; 5 minutes when left out. */
  readonly patienceMs?: number;
  /**
   * What the shell printed so far, oldest first, without following; `tail` counts log lines from the end.
   * Absent where nothing keeps a log: such a shell cannot be come back to.
   */
  readLog?(options: {
    tail?: number;
    signal: AbortSignal;
  }): AsyncIterable<{ stream: "stdout" | "stderr"; data: Buffer }>;
};

/** What is known of a finished command, enough to return its result without typing it again. */
export type Checkpoint = {
  readonly number: number;
  /** SHA-256 of the command, hex, with a constant for each of its volatile texts. */
  readonly hash: string;
  readonly result: CommandResult;
};

/** Keeps checkpoints across a death of this process. The store of the service, or a file of `berth run`. */
export type Journal = {
  /**
   * Counts the lives of the job: a later one has a higher number. A shell never goes back to an earlier life, which may have slept
   * while a later one took over.
   */
  readonly generation?: number;
  /** When the job began in its first life, milliseconds since 1970. */
  readonly startedAt: number;
  /** Those of an earlier life of this job, by number; empty for a new job. */
  readonly checkpoints: readonly Checkpoint[];
  /** @throws {BerthError} `SHELL_SUPERSEDED` when a newer process has the journal; to be asked before a job's end is made final. */
  confirm?(): void;
  /** Resolves when the checkpoint is durable; rejects with `SHELL_SUPERSEDED` as `confirm` does. */
  append(checkpoint: Checkpoint): Promise<void>;
};
