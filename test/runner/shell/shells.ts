import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LocalBackend, localBackend } from "../../../runner/shell/local-backend.ts";
import { openShell } from "../../../runner/shell/open-shell.ts";
import type {
  Checkpoint,
  Command,
  CommandResult,
  Journal,
  RunOptions,
  Shell,
} from "../../../runner/shell/shell.ts";

/** Folders for one test file: of the test's own things, and of programs that a shell finds. */
export type Place = Disposable & {
  readonly folder: string;
  readonly shells: readonly ShellKind[];
  readonly withoutSetsid: ShellKind;
};

/** A shell program, and the PATH of the jobs in it. */
export type ShellKind = { readonly name: string; readonly argv: string[]; readonly path: string };

/** On the PATH of `npm test`, from Debian's package where it is not installed. */
const BUSYBOX = "busybox";
const SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin";

export function makePlace(): Place {
  const folder = mkdtempSync(join(tmpdir(), "berth-shells-"));
  const asSh = join(folder, "sh");
  symlinkSync("/bin/bash", asSh);
  const busybox = join(folder, "busybox");
  mkdirSync(busybox);
  execFileSync(BUSYBOX, ["--install", "-s", busybox]);
  const noSetsid = join(folder, "no-setsid");
  mkdirSync(noSetsid);
  for (const name of readdirSync("/usr/bin")) {
    if (name !== "setsid") symlinkSync(join("/usr/bin", name), join(noSetsid, name));
  }

  return {
    folder,
    shells: [
      { name: "dash", argv: ["/usr/bin/dash"], path: SYSTEM_PATH },
      { name: "bash as sh", argv: [asSh], path: SYSTEM_PATH },
      { name: "busybox ash", argv: [join(busybox, "ash")], path: busybox },
    ],
    withoutSetsid: { name: "dash without setsid", argv: ["/usr/bin/dash"], path: noSetsid },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A job's shell on this machine, and a journal that outlives its client. */
export type Job = AsyncDisposable & {
  readonly backend: LocalBackend;
  readonly nonce: string;
  readonly checkpoints: Checkpoint[];
  /** Opens the shell, or comes back to it when it was open before; `life` is the journal's generation. */
  open(life?: number): Promise<Shell>;
};

export function makeJob(kind: ShellKind, env: { [name: string]: string } = {}): Job {
  const nonce = randomBytes(8).toString("hex");
  const backend = localBackend({
    nonce,
    shell: kind.argv,
    env: { PATH: kind.path, HOME: tmpdir(), ...env },
    cwd: tmpdir(),
  });
  const checkpoints: Checkpoint[] = [];
  let resume = false;
  return {
    backend,
    nonce,
    checkpoints,
    open(life) {
      const options = {
        nonce,
        resume,
        journal: journalOf(checkpoints, life),
        graceMs: [100, 800] as const,
      };
      resume = true;
      return openShell(backend, { ...options, signal: new AbortController().signal });
    },
    [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose](),
  };
}

function journalOf(checkpoints: Checkpoint[], life: number | undefined): Journal {
  return {
    ...(life !== undefined && { generation: life }),
    startedAt: 0,
    checkpoints: [...checkpoints],
    async append(checkpoint) {
      checkpoints.push(checkpoint);
    },
  };
}

export type Outcome = CommandResult & { readonly output: Buffer; readonly text: string };

/** Runs a command, with what a test leaves out. */
export async function run(
  shell: Shell,
  command: Partial<Command> & Pick<Command, "argv">,
  options: Partial<RunOptions> = {},
): Promise<Outcome> {
  const chunks: Buffer[] = [];
  const result = await shell.run(
    { cwd: tmpdir(), env: {}, ...command },
    {
      ...options,
      onOutput(chunk) {
        chunks.push(Buffer.from(chunk));
        options.onOutput?.(chunk);
      },
    },
  );
  const output = Buffer.concat(chunks);
  return { ...result, output, text: output.toString() };
}

/** Runs a script of the shell's own kind. */
export function sh(
  shell: Shell,
  script: string,
  command: Partial<Command> = {},
  options: Partial<RunOptions> = {},
): Promise<Outcome> {
  return run(shell, { argv: ["sh", "-c", script], ...command }, options);
}
