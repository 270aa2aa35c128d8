import { readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "@jest/globals";
import { BerthError } from "../../../runner/errors.ts";
import { openShell } from "../../../runner/shell/open-shell.ts";
import type { Command, Shell, ShellBackend } from "../../../runner/shell/shell.ts";
import { seededRandom } from "../../seeded-random.ts";
import { type Cut, cutBackend } from "./cut-backend.ts";
import { type Job, makeJob, makePlace, run, type ShellKind, sh } from "./shells.ts";

const place = makePlace();
afterAll(() => place[Symbol.dispose]());

/** `sync`, a token, a life. */
const SYNC_BYTES = "\nsync 0123456789abcdef 0 \x1f\n".length;
const signal = new AbortController().signal;

const jobs: Job[] = [];
const shells: Shell[] = [];
afterEach(async () => {
  for (const shell of shells.splice(0)) await shell[Symbol.asyncDispose]();
  for (const job of jobs.splice(0)) await job[Symbol.asyncDispose]();
});

async function openIn(
  kind: ShellKind,
  {
    cuts = [],
    ...more
  }: Partial<ShellBackend> & { readonly cuts?: readonly (Cut | undefined)[] } = {},
) {
  const job = makeJob(kind);
  jobs.push(job);
  const backend = cutBackend({ ...job.backend, ...more }, more.isRunning);
  backend.cuts.push(...cuts);
  const told: string[] = [];
  const shell = await openShell(backend, {
    nonce: job.nonce,
    graceMs: [100, 800],
    signal,
    onCut: (cut) => told.push(cut?.code ?? "back"),
  });
  shells.push(shell);
  return { shell, backend, job, told };
}

const IS_LONG = process.env.BERTH_LONG !== undefined;
const SEED = Number(process.env.BERTH_SEED ?? 20_265);
/** Of the bytes of a line, and of connections of a job. */
const EVERY = IS_LONG ? 1 : 6;
const CUTS = IS_LONG ? 24 : 6;

describe.each(place.shells)("$name", (kind: ShellKind) => {
  const file = (name: string) => join(place.folder, `${kind.name.replaceAll(" ", "-")}-${name}`);
  const open = (cuts: readonly Cut[] = []) => openIn(kind, { cuts });

  /** Commands of each kind, with what they must come to. */
  function work(name: string): readonly Command[] {
    const lines = 'i=0; while [ $i -lt 50 ]; do i=$((i + 1)); echo "$STEP.$i"; done';
    return [100, 66_000].map((length, step) => ({
      argv: ["sh", "-c", `${lines}; printf x >>"$COUNT"; echo "$STEP" >"$OUT"; exit $STEP`],
      cwd: tmpdir(),
      env: {
        STEP: String(step),
        COUNT: file(`${name}-count`),
        OUT: file(`${name}-out-${step}`),
        PAD: "y".repeat(Math.min(length, 30_000)),
      },
      write: [{ path: file(`${name}-written`), content: "z".repeat(length) }],
      collect: [{ path: file(`${name}-out-${step}`), limitBytes: 99 }],
    }));
  }

  async function outcomesOf(shell: Shell, name: string) {
    const outcomes = [];
    for (const command of work(name)) {
      const { exitCode, text, files } = await run(shell, command);
      const [collected] = Object.values(files);
      outcomes.push({ exitCode, text, collected: collected?.content.toString() });
    }
    return { outcomes, count: readFileSync(file(`${name}-count`), "utf8") };
  }
  const undisturbed = {
    outcomes: [0, 1].map((step) => ({
      exitCode: step,
      text: Array.from({ length: 50 }, (_, index) => `${step}.${index + 1}\n`).join(""),
      collected: `${step}\n`,
    })),
    count: "xx",
  };

  it("runs a command once, at whichever byte its line is cut off", async () => {
    const { shell, backend } = await open();
    const command = { argv: ["sh", "-c", 'echo x >>"$COUNT"'], env: { COUNT: file("bytes") } };
    await run(shell, command);
    const before = backend.bytes.stdin;
    await run(shell, command);
    const length = backend.bytes.stdin - before;

    const first = Math.floor(seededRandom(SEED)() * EVERY);
    let cuts = 0;
    for (let cutAt = first; cutAt <= length; cutAt += EVERY) {
      cuts += 1;
      // The sync of the connection that is made next goes through, and the command does up to there.
      backend.cuts.push({ stream: "stdin", afterBytes: SYNC_BYTES + cutAt });
      backend.cutNow();
      await run(shell, command);
    }

    expect(length).toBeGreaterThan(50);
    expect(readFileSync(file("bytes"), "utf8")).toBe("x\n".repeat(2 + cuts));
  });

  it("equals an undisturbed run, wherever its connections are cut", async () => {
    const whole = await open();
    expect(await outcomesOf(whole.shell, "whole")).toEqual(undisturbed);
    const { stdin, stdout, stderr } = whole.backend.bytes;
    const random = seededRandom(kind.name.length);
    const cuts = Array.from({ length: CUTS }, (_, index): Cut => {
      const stream = (["stdin", "stdout", "stderr"] as const)[index % 3] ?? "stdin";
      const length = { stdin, stdout, stderr }[stream];
      return { stream, afterBytes: 1 + Math.floor(random() * (length - 1)) };
    });

    const results = await Promise.all(
      cuts.map(async (cut, index) => {
        const { shell, backend } = await open([cut]);
        const outcome = await outcomesOf(shell, `cut-${index}`);
        return { cut, connections: backend.connections, ...outcome };
      }),
    );

    expect(results).toEqual(cuts.map((cut) => ({ cut, connections: 2, ...undisturbed })));
  });
});

describe("a connection that is cut", () => {
  const kind = place.shells[0] as ShellKind;
  const file = (name: string) => join(place.folder, name);
  const lines = (count: number) =>
    Array.from({ length: count }, (_, index) => `line ${index + 1}\n`).join("");
  /** Prints so many lines, in bursts with time between them. */
  const print = (count: number) =>
    `i=0; while [ $i -lt ${count} ]; do i=$((i + 1)); echo "line $i"; [ $((i % 100)) != 0 ] || sleep 0.02; done`;

  it("while a command prints costs none of its output and doubles none, however often", async () => {
    const { shell, backend, told } = await openIn(kind);
    let heard = 0;

    const outcome = await sh(
      shell,
      print(3000),
      {},
      {
        onOutput(chunk) {
          heard += chunk.length;
          if (heard < 5000) return;
          heard = 0;
          setImmediate(backend.cutNow);
        },
      },
    );

    expect(outcome.text).toBe(lines(3000));
    expect(backend.connections).toBeGreaterThan(3);
    expect(told.slice(0, 2)).toEqual(["SHELL_LOST", "back"]);
  });

  it("between two commands costs nothing, and what was printed then comes with the next", async () => {
    const { shell, backend } = await openIn(kind);
    await sh(shell, `(until [ -e "${file("go")}" ]; do sleep 0.01; done; echo stray) & echo on`);
    backend.cutNow();
    writeFileSync(file("go"), "");

    const outcome = await sh(shell, "sleep 0.2; echo next");

    expect(outcome.text.replace("stray\n", "")).toBe("next\n");
    expect(outcome.text).toContain("stray\n");
    expect(await sh(shell, "echo last")).toMatchObject({ text: "last\n" });
  });

  it("before the shell is ready costs nothing", async () => {
    for (const afterBytes of [1, 10, 200]) {
      const { shell } = await openIn(kind, { cuts: [{ stream: "stderr", afterBytes }] });
      expect(await sh(shell, "echo on")).toMatchObject({ text: "on\n" });
    }
  });

  it("again while it comes back costs nothing", async () => {
    const cuts = [1, 5, 30, 31, 200].map((afterBytes): Cut => ({ stream: "stdout", afterBytes }));
    const { shell, backend } = await openIn(kind);
    backend.cuts.push(...cuts, { stream: "stdin", afterBytes: 3 });
    const running = sh(shell, print(1000));
    backend.cutNow();

    expect((await running).text).toBe(lines(1000));
    expect(backend.connections).toBe(8);
  });

  it("is made anew when the way is there again", async () => {
    let isThere = true;
    const goneNow = async () => {
      if (!isThere) throw new BerthError("ENGINE_LOST", { message: "No way to the engine." });
      return true;
    };
    const { shell, backend, told } = await openIn(kind, { isRunning: goneNow });
    const running = sh(shell, `${print(500)}; sleep 0.5; echo end`);
    isThere = false;
    backend.cutNow();
    setTimeout(() => {
      isThere = true;
    }, 300);

    expect((await running).text).toBe(`${lines(500)}end\n`);
    expect(told).toEqual(["SHELL_LOST", "back"]);
  });

  it("ends the job when it does not come back in time, with the reason", async () => {
    const lost = new BerthError("ENGINE_LOST", { message: "No way to the engine." });
    const isRunning = () => Promise.reject(lost);
    const { shell, backend } = await openIn(kind, { isRunning, patienceMs: 250 });
    const running = sh(shell, "sleep 5");
    backend.cutNow();

    await expect(running).rejects.toMatchObject({
      code: "SHELL_LOST",
      message: expect.stringMatching(/did not come back .*No way to the engine/),
      cause: lost,
    });
    expect(shell.lost.aborted).toBe(true);
  });

  it("ends the job at once when the shell runs no more", async () => {
    const { shell, backend } = await openIn(kind, { isRunning: async () => false });
    const running = sh(shell, "sleep 5");
    backend.cutNow();

    await expect(running).rejects.toMatchObject({ code: "SHELL_LOST" });
    expect(backend.connections).toBe(1);
  });

  it("keeps no cancel from the command", async () => {
    const { shell, backend } = await openIn(kind);
    const cancel = new AbortController();
    const script = "trap 'echo stopped; exit 5' INT; echo ready; while :; do sleep 0.02; done";

    const outcome = await sh(
      shell,
      script,
      {},
      {
        signal: cancel.signal,
        onOutput(chunk) {
          if (chunk.toString() !== "ready\n") return;
          backend.cutNow();
          cancel.abort();
        },
      },
    );

    expect(outcome).toMatchObject({ exitCode: 5, text: "ready\nstopped\n" });
  });

  it("does not have all of a long output read again", async () => {
    const job = makeJob(kind);
    let readBytes = 0;
    const readLog: ShellBackend["readLog"] = async function* (options) {
      for await (const piece of job.backend.readLog(options)) {
        readBytes += piece.data.length;
        yield piece;
      }
    };
    jobs.push(job);
    const backend = cutBackend({ ...job.backend, readLog });
    const shell = await openShell(backend, { nonce: job.nonce, signal });
    shells.push(shell);
    const megabytes = 40;
    const line = "0123456789abcde";
    const script = `yes ${line} | head -c ${megabytes << 20}; until [ -e "${file("read-on")}" ]; do sleep 0.02; done; echo end`;
    let heardBytes = 0;

    const outcome = await sh(
      shell,
      script,
      {},
      {
        onOutput(chunk) {
          heardBytes += chunk.length;
          if (heardBytes !== megabytes << 20) return;
          backend.cutNow();
          writeFileSync(file("read-on"), "");
        },
      },
    );

    expect(outcome.text.length).toBe((megabytes << 20) + 4);
    expect(outcome.text.endsWith(`${line}\nend\n`)).toBe(true);
    expect(readBytes).toBeLessThan(megabytes << 20);
  });
});
