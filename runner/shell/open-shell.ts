import { setTimeout as pause } from "node:timers/promises";
import { BerthError } from "../errors.ts";
import { malformed, readNumbers } from "./frames.ts";
import { type Link, type LinkListener, openLink } from "./link.ts";
import { LINE_END } from "./preamble.ts";
import { filesCame, type RunningCommand, resultOf, startListening } from "./running-command.ts";
import type {
  Checkpoint,
  Command,
  CommandResult,
  Journal,
  RunOptions,
  Shell,
  ShellBackend,
} from "./shell.ts";
import { otherCommand, otherHistory, stepperGone, superseded } from "./shell-errors.ts";
import { type SignalName, stopCommand } from "./stop-command.ts";
import type { Takeover } from "./takeover.ts";
import { commandBytes, createTypist, hashCommand } from "./typed-command.ts";

export type OpenShellOptions = {
  /** Marks this job's frames; the one that its shell was started with. */
  readonly nonce: string;
  readonly journal?: Journal | undefined;
  /** The shell runs already; a process that is gone, or hangs, typed into it. */
  readonly resume?: boolean;
  /** How long a cancelled command has after INT, and then after TERM, in milliseconds. */
  readonly graceMs?: readonly [int: number, term: number];
  /** Gives the opening up. */
  readonly signal: AbortSignal;
  /** Hears that the connection was cut, with what is known of it, and then that it is there again (`undefined`). */
  onCut?: ((cut: BerthError | undefined) => void) | undefined;
};

const GRACE_MS = [7500, 2500] as const;
/** Of what is printed between two commands, which the next one gets. */
const STRAY_BYTES = 1024 * 1024;
/** A command whose begin is not heard for so long may have been torn on its way. */
const BEGIN_PATIENCE_MS = 5000;
/** How long the end of a command that has ended may take to come through a log. */
const END_PATIENCE_MS = 2000;
const CONFIRM_PATIENCE_MS = 5000;
const FILES_PATIENCE_MS = 3000;
/** For files that were probably sent before anybody listened. */
const LATE_FILES_PATIENCE_MS = 100;
const FILES_TRIES = 5;
const HASH_CHARACTERS = 16;

/**
 * Opens the shell behind a backend: starts it, or with `resume` takes it over from the process that had it. A connection that is cut while the shell
 * runs on is made anew, and no command notices.
 *
 * @throws {BerthError} `SHELL_LOST` when it ends or stays silent, `SHELL_PROTOCOL` when it is not our shell program,
 * `JOURNAL_MISMATCH` when it has done other things than the journal knows.
 */
export async function openShell(backend: ShellBackend, options: OpenShellOptions): Promise<Shell> {
  const { nonce, journal, signal, resume = false, onCut } = options;
  const stored = new Map(journal?.checkpoints.map((checkpoint) => [checkpoint.number, checkpoint]));
  const lastStored = Math.max(0, ...stored.keys());

  let running: RunningCommand | undefined;
  /** The shell may remember other volatile texts than those of this life. */
  let isDoubtful = false;
  let next = 1;
  let cameBack = !resume;
  let stray: Buffer[] = [];
  let strayBytes = 0;

  const onFrame = (words: readonly string[]) => {
    const [verb = "", ...rest] = words;
    switch (verb) {
      case "begin": {
        const [number = 0, pid] = readNumbers(rest, 2);
        if (running === undefined || running.number !== number) return;
        running.pid = pid;
        return running.begun.resolve();
      }
      case "end": {
        const [number = 0, code = 0] = readNumbers(rest, 2);
        const [files = 0] = readNumbers(rest.slice(3), 1);
        if (code > 255) throw malformed(words);
        if (running?.number !== number || running.end !== undefined) return;
        running.end = { code, why: rest[2] ?? "", files };
        return running.ended.resolve(running.end);
      }
      case "done": {
        const [number = 0, files = 0] = readNumbers(rest, 2);
        if (running?.number !== number) return;
        running.announcedFiles = files;
        return running.progress();
      }
      default:
        throw malformed(words);
    }
  };
  const listener: LinkListener = {
    onBytes(bytes) {
      if (running !== undefined && running.end === undefined) running.onOutput(bytes);
      else if (strayBytes + bytes.length <= STRAY_BYTES) {
        stray.push(Buffer.from(bytes)); // a copy: a few bytes would keep the whole chunk that they came in
        strayBytes += bytes.length;
      }
    },
    onFrame,
    onGone: (status) => stepperGone(status, running?.number),
    limitOf({ number, index }) {
      const limit = running?.number === number ? running.collect[index - 1]?.limitBytes : undefined;
      return limit === undefined ? undefined : limit + 1; // the byte too many tells that it is longer
    },
    onBlock(block) {
      if (running?.number === block.number) running.files.set(block.index, block);
    },
    checkLast(last) {
      const known = Math.max(lastStored, (running?.number ?? next) - 1);
      if (last < known || last > known + 1) throw otherHistory(last, known);
    },
    onBack() {
      if (running === undefined || !running.isGoing) return;
      running.isLate = true;
      goOn(running);
    },
  };
  const link: Link = await openLink(
    backend,
    {
      nonce,
      generation: journal?.generation ?? 0,
      resumeAfter: resume ? lastStored : undefined,
      signal,
      onCut,
    },
    listener,
  );
  const typist = createTypist(link.facts);

  async function run(command: Command, runOptions: RunOptions): Promise<CommandResult> {
    if (running !== undefined) throw new Error("A shell runs one command at a time.");
    const { volatile = [], onOutput } = runOptions;
    const hash = hashCommand(command, volatile);
    const number = next;
    const checkpoint = stored.get(number);
    if (checkpoint !== undefined) {
      if (checkpoint.hash !== hash) throw otherCommand(number);
      learn(checkpoint.result, () => typist.type(number, command));
      isDoubtful ||= volatile.length > 0;
      next = number + 1;
      return checkpoint.result;
    }

    link.lost.throwIfAborted();
    next = number + 1;
    const shortHash = hash.slice(0, HASH_CHARACTERS);
    const current = startListening(number, command, { onOutput, hash: shortHash });
    running = current;
    const { finished } = current;
    try {
      for (const chunk of stray) current.onOutput(chunk);
      stray = [];
      strayBytes = 0;
      const before = !cameBack && link.taken?.last === number ? link.taken : undefined;
      if (before !== undefined && before.hash !== shortHash) throw otherCommand(number);
      if (before !== undefined) isDoubtful ||= volatile.length > 0;
      else if (isDoubtful) {
        typist.forget();
        isDoubtful = false;
      }
      const typed = typist.type(number, command);
      current.bytesFor = (epoch) => commandBytes({ epoch, number, hash: shortHash }, typed);
      current.isLate = !cameBack;
      cameBack = true;
      await link.join();
      current.isGoing = true;
      goOn(current);
      watchBegin(current);
      stopCommand(runOptions, {
        graceMs: options.graceMs ?? GRACE_MS,
        begun: current.begun.promise,
        finished: finished.signal,
        send: (name) => send(current, name),
      });
      const end = await link.untilLost(current.ended.promise);
      finished.abort();
      if (end.files > 0) await link.untilLost(receiveFiles(current));
      const result = learn(resultOf(current, end, runOptions.notes?.()), () => undefined);
      await journal?.append({ number, hash, result } satisfies Checkpoint);
      return result;
    } finally {
      finished.abort();
      running = undefined;
    }
  }

  /** Keeps the typist's idea of what the shell remembers right. */
  function learn(result: CommandResult, type: () => unknown): CommandResult {
    type();
    if (result.reason === "no-write") typist.forget();
    return result;
  }

  /** Types a command unless the shell has it. Done anew when a connection was made anew, since what was typed before may be lost. */
  function goOn(current: RunningCommand): void {
    const { number, hash, unsent } = current;
    const { taken } = link;
    if (taken?.last !== number) link.type(current.bytesFor);
    else if (taken.hash !== hash) link.lose(otherCommand(number));
    else {
      watchEnd(current, taken.begun);
      if (unsent !== undefined) send(current, unsent);
    }
  }

  function send(current: RunningCommand, name: SignalName): void {
    const { number, pid = "" } = current;
    const isSent = link.type((epoch) => `\nsignal ${epoch} ${number} ${name} ${pid} ${LINE_END}\n`);
    current.unsent = isSent ? undefined : name;
  }

  /** The log may have lost even the frames of a command that has begun, or ended, but the shell remembers. */
  function watchEnd(current: RunningCommand, { number, ended }: Takeover["begun"]): void {
    if (number !== current.number) return;
    current.begun.resolve();
    if (ended === undefined) return;
    const timer = setTimeout(() => {
      current.end ??= { ...ended, files: current.collect.length };
      current.ended.resolve(current.end);
    }, END_PATIENCE_MS);
    const { signal } = current.finished;
    signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  }

  function watchBegin(current: RunningCommand): void {
    const { signal } = current.finished;
    const watching = new AbortController();
    void current.begun.promise.then(() => watching.abort());
    const look = async () => {
      const { ours, last } = await link.poke();
      if (!ours) return link.lose(superseded());
      if (!watching.signal.aborted && !signal.aborted && last < current.number) {
        link.type(current.bytesFor);
      }
    };
    const timer = setInterval(() => {
      look().catch(() => watching.abort());
    }, BEGIN_PATIENCE_MS);
    for (const end of [signal, watching.signal]) {
      end.addEventListener("abort", () => clearInterval(timer), { once: true });
    }
  }

  async function receiveFiles(current: RunningCommand): Promise<void> {
    let isAsked = false;
    for (let tries = 0; tries <= FILES_TRIES; tries++) {
      await link.connected();
      const { cut } = link;
      const patienceMs = current.isLate && !isAsked ? LATE_FILES_PATIENCE_MS : FILES_PATIENCE_MS;
      if (await filesCame(current, patienceMs, cut)) return;
      link.lost.throwIfAborted();
      current.announcedFiles = undefined;
      if (cut.aborted) tries = -1;
      isAsked = link.type((epoch) => `\nresend ${epoch} ${current.number} ${LINE_END}\n`);
    }
    throw new BerthError("SHELL_PROTOCOL", {
      message: "The files that the command left for Berth could not be read.",
      remedy:
        "Something else writes to the container's standard error, or changes the files meanwhile; stop it.",
    });
  }

  return {
    facts: link.facts,
    run,
    async confirm() {
      const patience = new AbortController();
      const silent = pause(CONFIRM_PATIENCE_MS, { ours: true }, { signal: patience.signal });
      silent.catch(() => {}); // given up once the answer is there
      const asked = link.poke();
      asked.catch(() => {}); // the answer may come too late
      try {
        const { ours } = await Promise.race([asked, silent]);
        if (!ours) throw superseded();
      } finally {
        patience.abort();
      }
    },
    lost: link.lost,
    get replaying() {
      return next <= lastStored;
    },
    [Symbol.asyncDispose]: () => link[Symbol.asyncDispose](),
  };
}
