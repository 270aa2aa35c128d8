import { randomBytes } from "node:crypto";
import { BerthError } from "../errors.ts";
import { type Position, positionAfter, readOutputSince } from "./come-back.ts";
import { readFacts } from "./facts.ts";
import { type Block, readNumbers } from "./frames.ts";
import { holdOut, withPatience } from "./hold-out.ts";
import { CHUNK_BYTES, LINE_END } from "./preamble.ts";
import type { ShellBackend, ShellFacts } from "./shell.ts";
import { superseded, unreadableFacts } from "./shell-errors.ts";
import { readTakeover, type Takeover } from "./takeover.ts";
import { createWire, shellLost, type Wire } from "./wire.ts";

export type LinkOptions = {
  readonly nonce: string;
  /** Of the journal; the shell never goes back to a lower one. */
  readonly generation: number;
  /** The shell runs already, and up to this command everything was told in an earlier life. */
  readonly resumeAfter: number | undefined;
  /** Gives the opening up. */
  readonly signal: AbortSignal;
  /** Hears that the connection was cut, and is sought anew; then `undefined`, when it is there again. */
  onCut?: ((cut: BerthError | undefined) => void) | undefined;
};

export type LinkListener = {
  /** What the shell prints, in order and each byte once, whatever becomes of its connections. */
  onBytes(bytes: Buffer): void;
  /** A frame that is about a command. */
  onFrame(words: readonly string[]): void;
  /** The error for a shell that says that it is gone. */
  onGone(status: string): BerthError;
  /** Of a command's file; as in `readBlocks`. */
  limitOf(block: { number: number; index: number }): number | undefined;
  onBlock(block: Block): void;
  /** @throws {BerthError} `JOURNAL_MISMATCH` when this cannot be the last command that the shell got. */
  checkLast(last: number): void;
  /** A connection that was cut has been made anew, and what was printed meanwhile told. What was typed in between is lost. */
  onBack(): void;
};

/** The way to one shell: over one connection, or over many when they are cut. */
export type Link = AsyncDisposable & {
  readonly facts: ShellFacts;
  readonly taken: Takeover | undefined;
  /** Aborted, with the reason, when the shell is lost for good. */
  readonly lost: AbortSignal;
  lose(reason: BerthError): void;
  /** Rejects with the reason when the shell is lost before `promise` settles. */
  untilLost<T>(promise: Promise<T>): Promise<T>;
  /** Resolves at once while there is a connection. */
  connected(): Promise<void>;
  /** Aborted when the present connection ends. */
  readonly cut: AbortSignal;
  /** Types what is made for the present epoch. False, and nothing is typed, while there is no connection. */
  type(text: (epoch: number) => Buffer | string): boolean;
  /** Asks the shell whose it is, and what the last command is that it got. */
  poke(): Promise<{ readonly ours: boolean; readonly last: number }>;
  /** Tells what was printed since `resumeAfter`. From then on all is told as it comes. */
  join(): Promise<void>;
};

const MAX_FACTS_BYTES = 2 * 1024 * 1024;
const SYNC_PATIENCE_MS = [200, 1000, 2000, 4000, 8000, 16_000, 30_000] as const;
/** How much of the log is read again at most when a connection is cut, beside what was printed meanwhile. */
const MARK_EVERY_BYTES = 8 * 1024 * 1024;
const PATIENCE_MS = 5 * 60_000;
/** An engine answers within milliseconds, unless the way to it is gone. */
const ANSWER_PATIENCE_MS = 15_000;

/** @throws {BerthError} As `openShell`. */
export async function openLink(
  backend: ShellBackend,
  options: LinkOptions,
  listener: LinkListener,
): Promise<Link> {
  const { nonce, generation, resumeAfter, signal, onCut = () => {} } = options;
  const isFresh = resumeAfter === undefined;
  const ended = new AbortController();
  const endedWith = Promise.withResolvers<never>();
  const introduced = Promise.withResolvers<ShellFacts>();
  const ready = Promise.withResolvers<void>();
  for (const { promise } of [endedWith, introduced, ready]) promise.catch(() => {}); // nobody may wait for it
  const untilLost = <T>(promise: Promise<T>) => Promise.race([promise, endedWith.promise]);
  const pokes = new Map<string, (state: { ours: boolean; last: number }) => void>();
  /** Of each `sync` of this process. */
  const tokens = new Set<string>();
  let facts: ShellFacts | undefined;
  let wire: Wire | undefined;
  let token = "";
  let synced = Promise.withResolvers<Takeover>();
  let taken: Takeover | undefined;
  let epoch = 1;
  /** Not so from the begin of a connection to the answer of our `sync`: what comes is in the log as well, and read from there. */
  let isHearing = isFresh;
  let isJoined = isFresh;
  let mayJoin = isFresh;
  let isUp = false;
  let up = Promise.withResolvers<void>();
  let position: Position = { after: "", bytes: 0 };
  if (resumeAfter !== undefined) {
    position = { after: resumeAfter === 0 ? "ready" : `end ${resumeAfter}`, bytes: 0 };
  }
  let unmarkedBytes = 0;

  const lose = (reason: BerthError) => {
    if (ended.signal.aborted) return;
    ended.abort(reason);
    endedWith.reject(reason);
    wire?.lose(reason);
  };
  const tellBytes = (bytes: Buffer) => {
    position = { after: position.after, bytes: position.bytes + bytes.length };
    listener.onBytes(bytes);
    unmarkedBytes += bytes.length;
    if (unmarkedBytes < MARK_EVERY_BYTES || backend.isRunning === undefined) return;
    // The answer stands in the log, so that a later connection knows where this one was.
    if (type((now) => pokeLine(now, newWord()))) unmarkedBytes = 0;
  };
  const tellFrame = (words: readonly string[]) => {
    position = positionAfter(position, words);
    onFrame(words);
  };
  const onFrame = (words: readonly string[]) => {
    const [verb = "", ...rest] = words;
    switch (verb) {
      case "ready":
        return ready.resolve();
      case "sync":
        return onSync(rest);
      case "late":
        return void (tokens.has(rest[0] ?? "") && lose(superseded()));
      case "stale":
        return checkOwner();
      case "poked": {
        const [last = 0] = readNumbers(rest.slice(2), 1);
        return pokes.get(rest[0] ?? "")?.({ ours: rest[1] === "ours", last });
      }
      case "gone":
        return lose(listener.onGone(rest[0] ?? ""));
      case "done":
        return rest[0] === "0" ? onIntroduced() : listener.onFrame(words);
      default:
        return listener.onFrame(words);
    }
  };
  const onIntroduced = () => {
    if (facts !== undefined) introduced.resolve(facts);
    // After a takeover it may be the end of what another connection asked for, or torn: it is asked again.
    else if (isFresh && tokens.size === 0) throw unreadableFacts();
  };
  const onSync = (rest: readonly string[]) => {
    if (rest.length === 1) return; // stderr's copy
    const [epochOfIt = 0] = readNumbers(rest.slice(1), 2);
    if (rest[0] !== token) {
      if (!isHearing || epochOfIt <= epoch) return;
      // One of a connection before, which came through only now, has raised it for us.
      if (tokens.has(rest[0] ?? "")) epoch = epochOfIt;
      else checkOwner();
      return;
    }
    if (taken !== undefined) return;
    taken = readTakeover(rest);
    epoch = epochOfIt;
    isHearing = true;
    wire?.hold();
    ready.resolve();
    synced.resolve(taken);
  };

  /** Someone else says that this shell is theirs. The job could say so too, but it cannot answer this question. */
  const checkOwner = () => {
    poke().then(
      ({ ours }) => ours || lose(superseded()),
      () => {},
    );
  };
  const poke = async (): Promise<{ ours: boolean; last: number }> => {
    for (;;) {
      await connected();
      const question = newWord();
      const answer = Promise.withResolvers<{ ours: boolean; last: number }>();
      const asked = epoch;
      pokes.set(question, answer.resolve);
      try {
        if (!type(() => pokeLine(asked, question)) || wire === undefined) continue;
        const state = await wire.untilLost(answer.promise);
        if (state.ours || asked === epoch) return state;
      } catch (error) {
        ended.signal.throwIfAborted();
        if (backend.isRunning === undefined) throw error;
      } finally {
        pokes.delete(question);
      }
    }
  };
  const connected = () => untilLost(up.promise);
  const type = (text: (epoch: number) => Buffer | string): boolean => {
    if (!isUp || wire === undefined || wire.lost.aborted) return false;
    wire.type(text(epoch));
    return true;
  };

  /** A connection to the streams; not yet one to the shell. */
  async function attach(patience: AbortSignal): Promise<Wire> {
    const connection = await backend.attach(patience);
    if (ended.signal.aborted) await connection[Symbol.asyncDispose]();
    ended.signal.throwIfAborted();
    const made = createWire(connection, nonce, {
      onBytes: (bytes) => void (isHearing && tellBytes(bytes)),
      onFrame(words) {
        // What ends the shell is answered by nothing else.
        if (isHearing) tellFrame(words);
        else if (["sync", "late", "gone"].includes(words[0] ?? "")) onFrame(words);
      },
      onNote: onFrame,
      limitOf(block) {
        if (block.number !== 0) return listener.limitOf(block);
        return facts === undefined ? MAX_FACTS_BYTES : undefined;
      },
      onBlock(block) {
        if (block.number === 0) facts ??= readFacts(block.content);
        else listener.onBlock(block);
      },
    });
    wire = made;
    const onLost = () => {
      if (made !== wire || ended.signal.aborted) return;
      const reason = made.lost.reason as BerthError;
      if (!made.wasCut || backend.isRunning === undefined) return lose(reason);
      if (isUp) void comeBack(reason);
    };
    made.lost.addEventListener("abort", onLost, { once: true });
    if (made.lost.aborted) onLost();
    return made;
  }

  /** Asks until it answers: a predecessor's torn line may first have to be ended, or filled up. */
  async function takeOver(mine: Wire): Promise<void> {
    token = newWord();
    tokens.add(token);
    for (const patienceMs of SYNC_PATIENCE_MS) {
      mine.type(`\nsync ${token} ${generation} ${LINE_END}\n`);
      const answer = Promise.all([synced.promise, introduced.promise]);
      if (await mine.untilLost(withPatience(answer, patienceMs))) {
        listener.checkLast((await synced.promise).last);
        return;
      }
      if ((await isRunning()) === false) throw shellLost();
      mine.type(`${" ".repeat(1023)}\n`.repeat(CHUNK_BYTES / 1024 + 1));
    }
    throw new BerthError("SHELL_LOST", {
      message: "The job's shell does not answer.",
      remedy: "Look whether its container is paused or its host overloaded.",
    });
  }

  const isRunning = () =>
    backend.isRunning?.(AbortSignal.any([ended.signal, AbortSignal.timeout(ANSWER_PATIENCE_MS)]));

  /** What the shell printed from the last that was told up to our `sync`; then the stream. */
  async function joinLog(mine: Wire): Promise<void> {
    const isMine = () => !mine.lost.aborted;
    const told = readOutputSince(position, {
      backend,
      nonce,
      token,
      onBytes: (bytes) => void (isMine() && tellBytes(bytes)),
      onFrame(words) {
        if (!isMine()) return;
        if (words[0] === "sync" || words[0] === "stale") position = positionAfter(position, words);
        else tellFrame(words);
      },
      signal: mine.lost,
    });
    told.catch(() => {}); // the wire may be lost before
    await mine.untilLost(told);
    isJoined = true;
    position = { after: `sync ${token}`, bytes: 0 };
    await mine.release();
    mine.lost.throwIfAborted();
  }

  /** @throws {BerthError} What ends the shell for good, or why there is no connection now. */
  async function connect(patience: AbortSignal): Promise<void> {
    isHearing = false;
    taken = undefined;
    synced = Promise.withResolvers();
    const mine = await attach(patience);
    await takeOver(mine);
    if (mayJoin) await joinLog(mine);
    isUp = true;
  }

  const isFinal = (error: unknown): error is BerthError =>
    !wire?.wasCut && error instanceof BerthError && FINAL.has(error.code);

  async function comeBack(cut: BerthError): Promise<void> {
    isUp = false;
    up = Promise.withResolvers();
    up.promise.catch(() => {});
    onCut(cut);
    const reason = await holdOut(cut, {
      patienceMs: backend.patienceMs ?? PATIENCE_MS,
      signal: ended.signal,
      isFinal,
      async attempt() {
        void wire?.[Symbol.asyncDispose]();
        if ((await isRunning()) === false) return cut;
        await connect(AbortSignal.any([ended.signal, AbortSignal.timeout(ANSWER_PATIENCE_MS)]));
        listener.onBack();
        up.resolve();
        return undefined;
      },
    });
    if (ended.signal.aborted) return void wire?.[Symbol.asyncDispose]();
    if (reason !== undefined) return lose(reason);
    onCut(undefined);
  }

  async function join(): Promise<void> {
    mayJoin = true;
    while (!isJoined) {
      await connected();
      if (isJoined || wire === undefined) return;
      const mine = wire;
      try {
        await joinLog(mine);
      } catch (error) {
        ended.signal.throwIfAborted();
        if (isFinal(error)) lose(error);
        else mine.cut(error instanceof BerthError ? error : shellLost(error));
      }
    }
  }

  async function retryOnceOpened(error: unknown): Promise<void> {
    if (!wire?.wasCut || backend.isRunning === undefined) throw error;
    await comeBack(wire.lost.reason as BerthError);
  }

  const dispose = async () => {
    lose(shellLost());
    await wire?.[Symbol.asyncDispose]();
  };
  const onAbort = () => void dispose();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    if (isFresh) {
      await attach(signal);
      isUp = true;
      up.resolve();
      await backend.start(signal);
    } else await connect(signal).then(up.resolve, retryOnceOpened);
    await untilLost(Promise.all([ready.promise, introduced.promise]));
    signal.throwIfAborted();
  } catch (error) {
    await dispose();
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }

  return {
    facts: await introduced.promise,
    get taken() {
      return taken;
    },
    lost: ended.signal,
    lose,
    untilLost,
    connected,
    get cut() {
      return wire?.lost ?? ended.signal;
    },
    type,
    poke,
    join,
    [Symbol.asyncDispose]: dispose,
  };
}

/** What no other connection would mend. */
const FINAL = new Set(["SHELL_LOST", "SHELL_PROTOCOL", "SHELL_SUPERSEDED", "JOURNAL_MISMATCH"]);

function newWord(): string {
  return randomBytes(8).toString("hex");
}

function pokeLine(epoch: number, question: string): string {
  return `\npoke ${epoch} ${question} ${LINE_END}\n`;
}
