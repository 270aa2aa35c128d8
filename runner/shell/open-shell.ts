import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { BerthError } from "../errors.ts";
import { readOutputSince } from "./come-back.ts";
import { readFacts } from "./facts.ts";
import { malformed, readNumbers } from "./frames.ts";
import { CHUNK_BYTES, LINE_END } from "./preamble.ts";
import {
  type Ended,
  filesCame,
  type RunningCommand,
  resultOf,
  startListening,
} from "./running-command.ts";
import type {
  Checkpoint,
  Command,
  CommandResult,
  Journal,
  RunOptions,
  Shell,
  ShellBackend,
  ShellFacts,
} from "./shell.ts";
import {
  otherCommand,
  otherHistory,
  stepperGone,
  superseded,
  unreadableFacts,
} from "./shell-errors.ts";
import { stopCommand } from "./stop-command.ts";
import { commandBytes, createTypist, hashCommand } from "./typed-command.ts";
import { createWire, type Wire } from "./wire.ts";

export type OpenShellOptions = {
  /** Marks this job's frames; the one that its shell was started with. */
  readonly nonce: string;
  readonly journal?: Journal | undefined;
  /** The shell runs already; a process that is gone, or hangs, typed into it. */
  readonly resume?: boolean;
  /** How long a cancelled command has after INT, and then after TERM, in milliseconds. */
  readonly graceMs?: readonly [int: number, term: number];
  readonly signal: AbortSignal;
};

/** What a shell says of itself when a new client takes over: of the last command it got, and of the last that began. */
type Takeover = {
  readonly epoch: number;
  readonly last: number;
  readonly hash: string;
  readonly begun: { readonly number: number; readonly ended?: Omit<Ended, "files"> };
};

const GRACE_MS = [7500, 2500] as const;
/** Of what is printed between two commands, which the next one gets. */
const STRAY_BYTES = 1024 * 1024;
const MAX_FACTS_BYTES = 2 * 1024 * 1024;
/** A command whose begin is not heard for so long may have been torn on its way. */
const BEGIN_PATIENCE_MS = 5000;
/** How long the end of a command that has ended may take to come through a log. */
const END_PATIENCE_MS = 2000;
const CONFIRM_PATIENCE_MS = 5000;
const FILES_PATIENCE_MS = 3000;
const FILES_TRIES = 5;
const SYNC_PATIENCE_MS = [200, 1000, 2000, 4000, 8000, 16_000, 30_000] as const;

/**
 * Opens the shell behind a backend: starts it, or with `resume` takes it over from the process that had it.
 *
 * @throws {BerthError} `SHELL_LOST` when it ends or stays silent, `SHELL_PROTOCOL` when it is not our shell program,
 * `JOURNAL_MISMATCH` when it has done other things than the journal knows.
 */
export async function openShell(backend: ShellBackend, options: OpenShellOptions): Promise<Shell> {
  const { nonce, journal, signal, resume = false } = options;
  const stored = new Map(journal?.checkpoints.map((checkpoint) => [checkpoint.number, checkpoint]));
  const lastStored = Math.max(0, ...stored.keys());
  const token = randomBytes(8).toString("hex");

  let running: RunningCommand | undefined;
  /** The shell may remember other volatile texts than those of this life. */
  let isDoubtful = false;
  let next = 1;
  let epoch = 1;
  let facts: ShellFacts | undefined;
  let taken: Takeover | undefined;
  let cameBack = !resume;
  let stray: Buffer[] = [];
  let strayBytes = 0;
  const introduced = Promise.withResolvers<ShellFacts>();
  const ready = Promise.withResolvers<void>();
  const synced = Promise.withResolvers<Takeover>();
  const pokes = new Map<string, (state: { ours: boolean; last: number }) => void>();

  const onBytes = (bytes: Buffer) => {
    if (resume && taken === undefined) return; // in the log as well, and read from there
    if (running !== undefined && running.end === undefined) running.onOutput(bytes);
    else if (strayBytes + bytes.length <= STRAY_BYTES) {
      stray.push(Buffer.from(bytes)); // a copy: a few bytes would keep the whole chunk that they came in
      strayBytes += bytes.length;
    }
  };
  const onFrame = (words: readonly string[]) => {
    const [verb = "", ...rest] = words;
    switch (verb) {
      case "ready":
        return ready.resolve();
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
        if (number === 0) return onIntroduced();
        if (running?.number !== number) return;
        running.announcedFiles = files;
        return running.progress();
      }
      case "sync":
        return onSync(rest);
      case "late":
        return void (rest[0] === token && wire.lose(superseded()));
      case "stale":
        return void (taken === undefined && resume ? undefined : checkOwner());
      case "poked": {
        const [last = 0] = readNumbers(rest.slice(2), 1);
        return pokes.get(rest[0] ?? "")?.({ ours: rest[1] === "ours", last });
      }
      case "gone":
        return wire.lose(stepperGone(rest[0] ?? "", running?.number));
      default:
        throw malformed(words);
    }
  };
  const onIntroduced = () => {
    if (facts !== undefined) introduced.resolve(facts);
    // After a takeover it may be the end of what a predecessor asked for, or torn: it is asked again.
    else if (!resume) throw unreadableFacts();
  };
  const onSync = (rest: readonly string[]) => {
    if (rest.length === 1) return; // stderr's copy
    const [epochOfIt = 0, last = 0] = readNumbers(rest.slice(1), 2);
    if (rest[0] !== token) {
      if (epochOfIt > epoch && (!resume || taken !== undefined)) checkOwner();
      return;
    }
    if (taken !== undefined) return;
    const [number = 0] = readNumbers(rest.slice(4), 1);
    const [code] = rest[5] === "-" && rest.length > 6 ? readNumbers(rest.slice(6), 1) : [];
    const begun = { number, ...(code !== undefined && { ended: { code, why: rest[7] ?? "" } }) };
    taken = { epoch: epochOfIt, last, hash: rest[3] ?? "", begun };
    epoch = epochOfIt;
    wire.hold();
    synced.resolve(taken);
  };

  const connection = await backend.attach(signal);
  const wire: Wire = createWire(connection, nonce, {
    onBytes,
    onFrame,
    limitOf({ number, index }) {
      if (number === 0) return facts === undefined ? MAX_FACTS_BYTES : undefined;
      const limit = running?.number === number ? running.collect[index - 1]?.limitBytes : undefined;
      return limit === undefined ? undefined : limit + 1; // the byte too many tells that it is longer
    },
    onBlock(block) {
      if (block.number === 0) facts ??= readFacts(block.content);
      else if (running?.number === block.number) running.files.set(block.index, block);
    },
  });

  /** Someone else says that this shell is theirs. The job could say so too, but it cannot answer this question. */
  const checkOwner = () => {
    poke().then(
      ({ ours }) => ours || wire.lose(superseded()),
      () => {},
    );
  };
  const poke = async (): Promise<{ ours: boolean; last: number }> => {
    const question = randomBytes(8).toString("hex");
    const answer = Promise.withResolvers<{ ours: boolean; last: number }>();
    pokes.set(question, answer.resolve);
    try {
      wire.type(`\npoke ${epoch} ${question} ${LINE_END}\n`);
      return await wire.untilLost(answer.promise);
    } finally {
      pokes.delete(question);
    }
  };

  const onAbort = () => void wire[Symbol.asyncDispose]();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    if (resume) await takeOver();
    else {
      await backend.start(signal);
      await wire.untilLost(Promise.all([ready.promise, introduced.promise]));
    }
    signal.throwIfAborted();
  } catch (error) {
    await wire[Symbol.asyncDispose]();
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
  const typist = createTypist(await introduced.promise);

  /** Asks until it answers: a predecessor's torn line may first have to be ended, or filled up. */
  async function takeOver(): Promise<void> {
    for (const patienceMs of SYNC_PATIENCE_MS) {
      wire.type(`\nsync ${token} ${journal?.generation ?? 0} ${LINE_END}\n`);
      const patience = AbortSignal.timeout(patienceMs);
      const answered = Promise.all([synced.promise, introduced.promise]).then(() => true);
      const silent = new Promise<false>((resolve) => {
        patience.addEventListener("abort", () => resolve(false), { once: true });
      });
      if (await wire.untilLost(Promise.race([answered, silent]))) {
        const { last } = await synced.promise;
        if (last < lastStored || last > lastStored + 1) throw otherHistory(last, lastStored);
        return;
      }
      wire.type(`${" ".repeat(1023)}\n`.repeat(CHUNK_BYTES / 1024 + 1));
    }
    throw new BerthError("SHELL_LOST", {
      message: "The job's shell does not answer.",
      remedy: "Look whether its container is paused or its host overloaded.",
    });
  }

  /** Once, when the first command that has no stored result is run: what the shell printed since, then the stream. */
  async function comeBack(): Promise<void> {
    cameBack = true;
    await readOutputSince(lastStored, {
      backend,
      nonce,
      token,
      onBytes,
      onFrame: (words) => words[0] !== "sync" && words[0] !== "stale" && onFrame(words),
      signal: wire.lost,
    });
    await wire.release();
  }

  async function run(command: Command, runOptions: RunOptions): Promise<CommandResult> {
    if (running !== undefined) throw new Error("A shell runs one command at a time.");
    const { volatile = [] } = runOptions;
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

    wire.lost.throwIfAborted();
    next = number + 1;
    const current = startListening(number, command, runOptions);
    running = current;
    const finished = new AbortController();
    try {
      for (const chunk of stray) current.onOutput(chunk);
      stray = [];
      strayBytes = 0;
      const before = !cameBack && taken?.last === number ? taken : undefined;
      if (before !== undefined && before.hash !== hash.slice(0, 16)) throw otherCommand(number);
      if (before !== undefined) isDoubtful ||= volatile.length > 0;
      else if (isDoubtful) {
        typist.forget();
        isDoubtful = false;
      }
      const typed = typist.type(number, command);
      const bytes = commandBytes({ epoch, number, hash: hash.slice(0, 16) }, typed);
      const late = !cameBack;
      if (late) await wire.untilLost(comeBack());
      if (before !== undefined) watchEnd(current, before.begun, finished.signal);
      else {
        wire.type(bytes);
        watchBegin(current, bytes, finished.signal);
      }
      stopCommand(runOptions, {
        graceMs: options.graceMs ?? GRACE_MS,
        begun: current.begun.promise,
        finished: finished.signal,
        send(name) {
          wire.type(`\nsignal ${epoch} ${number} ${name} ${current.pid ?? ""} ${LINE_END}\n`);
        },
      });
      const end = await wire.untilLost(current.ended.promise);
      finished.abort();
      if (end.files > 0)
        await wire.untilLost(receiveFiles(current, late ? 100 : FILES_PATIENCE_MS));
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

  /** The log may have lost even the frames of a command that has begun, or ended, but the shell remembers. */
  function watchEnd(
    current: RunningCommand,
    begun: Takeover["begun"],
    finished: AbortSignal,
  ): void {
    if (begun.number !== current.number) return;
    current.begun.resolve();
    const { ended } = begun;
    if (ended === undefined) return;
    const timer = setTimeout(() => {
      current.end ??= { ...ended, files: current.collect.length };
      current.ended.resolve(current.end);
    }, END_PATIENCE_MS);
    finished.addEventListener("abort", () => clearTimeout(timer), { once: true });
  }

  function watchBegin(current: RunningCommand, bytes: Buffer, finished: AbortSignal): void {
    let begun = false;
    void current.begun.promise.then(() => {
      begun = true;
    });
    const look = async () => {
      const { ours, last } = await poke();
      if (!ours) return wire.lose(superseded());
      if (!begun && !finished.aborted && last < current.number) wire.type(bytes);
    };
    const timer = setInterval(() => {
      if (begun || finished.aborted) clearInterval(timer);
      else look().catch(() => clearInterval(timer));
    }, BEGIN_PATIENCE_MS);
    finished.addEventListener("abort", () => clearInterval(timer), { once: true });
  }

  async function receiveFiles(current: RunningCommand, patienceMs: number): Promise<void> {
    for (let tries = 0; tries <= FILES_TRIES; tries++) {
      if (await filesCame(current, patienceMs, wire.lost)) return;
      wire.lost.throwIfAborted();
      if (tries === FILES_TRIES) break;
      current.announcedFiles = undefined;
      wire.type(`\nresend ${epoch} ${current.number} ${LINE_END}\n`);
      patienceMs = FILES_PATIENCE_MS;
    }
    throw new BerthError("SHELL_PROTOCOL", {
      message: "The files that the command left for Berth could not be read.",
      remedy:
        "Something else writes to the container's standard error, or changes the files meanwhile; stop it.",
    });
  }

  return {
    facts: await introduced.promise,
    run,
    async confirm() {
      const patience = new AbortController();
      const silent = pause(CONFIRM_PATIENCE_MS, { ours: true }, { signal: patience.signal });
      silent.catch(() => {}); // given up once the answer is there
      try {
        const { ours } = await Promise.race([poke(), silent]);
        if (!ours) throw superseded();
      } finally {
        patience.abort();
      }
    },
    lost: wire.lost,
    get replaying() {
      return next <= lastStored;
    },
    [Symbol.asyncDispose]: () => wire[Symbol.asyncDispose](),
  };
}
