import { readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, describe, expect, it } from "@jest/globals";
import { openShell } from "../../../runner/shell/open-shell.ts";
import type { Command, Shell, ShellBackend } from "../../../runner/shell/shell.ts";
import { commandBytes, createTypist, hashCommand } from "../../../runner/shell/typed-command.ts";
import { type Job, makeJob, makePlace, type Outcome, run, type ShellKind, sh } from "./shells.ts";

const place = makePlace();
afterAll(() => place[Symbol.dispose]());

const LOST = { code: "SHELL_LOST" };

/** Of the bytes of a line. */
const EVERY = process.env.BERTH_LONG ? 1 : 3;

/** Numbers repeatable for one seed, from 0 to below 1. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

/** What a client of the shell would have typed for command `number`, when it died after the first `bytes` of it. */
async function typeUntil(
  job: Job,
  shell: Shell,
  {
    epoch,
    number,
    command,
    cutAt,
  }: { epoch: number; number: number; command: Command; cutAt: number },
): Promise<number> {
  const typed = createTypist(shell.facts).type(number, command);
  const bytes = commandBytes({ epoch, number, hash: hashCommand(command).slice(0, 16) }, typed);
  const connection = await job.backend.attach(new AbortController().signal);
  await new Promise((resolve) => connection.stdin.write(bytes.subarray(0, cutAt), resolve));
  await connection[Symbol.asyncDispose]();
  return bytes.length;
}

describe.each(place.shells)("$name", (kind: ShellKind) => {
  const jobs: Job[] = [];
  const shells: Shell[] = [];
  const makeTestJob = () => {
    const job = makeJob(kind);
    jobs.push(job);
    return job;
  };
  const open = async (job: Job) => {
    const shell = await job.open();
    shells.push(shell);
    return shell;
  };
  /** The client's process is gone, as far as the shell can tell. */
  const die = (shell: Shell) => shell[Symbol.asyncDispose]();
  const file = (name: string) => join(place.folder, `${kind.name.replaceAll(" ", "-")}-${name}`);
  afterEach(async () => {
    for (const shell of shells.splice(0)) await shell[Symbol.asyncDispose]();
    for (const job of jobs.splice(0)) await job[Symbol.asyncDispose]();
  });

  it("runs a command once, at whichever byte its line was cut off", async () => {
    const job = makeTestJob();
    const count = file("count");
    const command = {
      argv: ["sh", "-c", 'echo x >>"$COUNT"'],
      cwd: tmpdir(),
      env: { COUNT: count },
    };
    let shell = await open(job);
    await die(shell);

    let length = 1;
    let cuts = 0;
    // The first command tells how long the line is; from the second on only its number changes.
    for (let cutAt = 0; cutAt <= length; cutAt += EVERY) {
      const number = cuts + 1;
      length = await typeUntil(job, shell, { epoch: cuts + 1, number, command, cutAt });
      shell = await job.open();
      for (let replayed = 0; replayed < number; replayed++) await run(shell, command);
      await die(shell);
      cuts++;
    }

    expect(length).toBeGreaterThan(80);
    expect(readFileSync(count, "utf8")).toBe("x\n".repeat(cuts));
  });

  it("runs a long command once, cut off in its headers or in what they announce", async () => {
    const commandFor = (count: string) => ({
      argv: ["sh", "-c", 'echo x >>"$COUNT"; [ "${#LONG}" = 20000 ]'],
      cwd: tmpdir(),
      env: { COUNT: count, LONG: `${"sync a \x1f\n".repeat(2222)}ab` },
      write: [{ path: `${count}-written`, content: "y".repeat(70_000) }],
    });
    const number = 1;
    const probe = makeTestJob();
    const command = commandFor(file("long-0000"));
    const whole = await typeUntil(probe, await open(probe), {
      epoch: 9,
      number,
      command,
      cutAt: 0,
    });
    const random = randomFrom(7);
    const cuts = [1, 5, 20, 30, whole - 40, whole - 20, whole - 2, whole - 1, whole];
    for (let i = 0; i < 3; i++) cuts.push(Math.floor(random() * whole));

    const outcomes = await Promise.all(
      cuts.map(async (cutAt, index) => {
        const count = file(`long-${String(index).padStart(4, "0")}`);
        const job = makeTestJob();
        const first = await open(job);
        await die(first);
        await typeUntil(job, first, { epoch: 1, number, command: commandFor(count), cutAt });
        const { started, exitCode } = await run(await open(job), commandFor(count));
        return { cutAt, started, exitCode, count: readFileSync(count, "utf8") };
      }),
    );

    expect(outcomes).toEqual(
      cuts.map((cutAt) => ({ cutAt, started: true, exitCode: 0, count: "x\n" })),
    );
  });

  it("goes on with a running command's output without a gap or a duplicate", async () => {
    const job = makeTestJob();
    const lines = `i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); echo "line $i"; done`;
    const script = `${lines}; until [ -e "$GO" ]; do echo waiting; sleep 0.01; done; ${lines}; echo value >"$FILE"; exit 3`;
    const command = {
      env: { FILE: file("value"), GO: file("go") },
      collect: [{ path: file("value"), limitBytes: 99 }],
    };
    const want = Array.from({ length: 2000 }, (_, index) => `line ${index + 1}\n`).join("");
    let shell = await open(job);
    await sh(shell, "echo before");

    for (let deaths = 0; deaths < 6; deaths++) {
      const dying = sh(shell, script, command).catch((error: unknown) => error);
      await sleep(deaths * 3);
      await die(shell);
      expect(await dying).toMatchObject(LOST);
      shell = await open(job);
      expect(await sh(shell, "echo before")).toMatchObject({ exitCode: 0, text: "" });
    }
    const running = sh(shell, script, command);
    writeFileSync(file("go"), "");
    const outcome = await running;

    expect(outcome).toMatchObject({ exitCode: 3 });
    expect(outcome.text.replaceAll("waiting\n", "")).toBe(want + want);
    expect(outcome.files[file("value")]?.content.toString()).toBe("value\n");
  });

  it("gets the result of a command that ended while nobody listened", async () => {
    const job = makeTestJob();
    const command = { collect: [{ path: file("away"), limitBytes: 9 }] };
    const script = `sleep 0.2; printf 'no newline'; echo value-too-long >"${file("away")}"; exit 4`;
    const first = await open(job);
    const dying = sh(first, script, command).catch((error: unknown) => error);
    await sleep(50);
    await die(first);
    expect(await dying).toMatchObject(LOST);
    await sleep(400);

    const second = await open(job);
    const outcome = await sh(second, script, command);

    expect(outcome).toMatchObject({ exitCode: 4, text: "no newline" });
    expect(outcome.files[file("away")]).toEqual({
      content: Buffer.from("value-too"),
      truncated: true,
      sizeBytes: 15,
    });
    expect(await sh(second, "echo on")).toMatchObject({ text: "on\n" });
  });

  it("returns stored results without typing, says while it does, and keeps the notes", async () => {
    const job = makeTestJob();
    const first = await open(job);
    await sh(first, `echo x >>"${file("once")}"; exit 3`, {}, { notes: () => ({ seen: 1 }) });
    await sh(first, "true", { env: { A: "1" } });
    await die(first);

    const second = await open(job);
    const replaying = [second.replaying];
    const one = await sh(second, `echo x >>"${file("once")}"; exit 3`);
    replaying.push(second.replaying);
    await sh(second, "true", { env: { A: "1" } });
    replaying.push(second.replaying);
    const three = await sh(second, "echo $A", { env: { A: "1" } });

    expect(one).toMatchObject({ exitCode: 3, notes: { seen: 1 }, text: "" });
    expect(replaying).toEqual([true, true, false]);
    expect(readFileSync(file("once"), "utf8")).toBe("x\n");
    expect(three.text).toBe("1\n");
  });

  it("refuses to go on with other commands than before", async () => {
    const job = makeTestJob();
    const first = await open(job);
    await sh(first, "true");
    const dying = sh(first, "sleep 0.3").catch((error: unknown) => error);
    await sleep(50);
    await die(first);
    await dying;

    const otherStored = sh(await open(job), "false");
    await expect(otherStored).rejects.toMatchObject({ code: "JOURNAL_MISMATCH" });
    const third = await open(job);
    await sh(third, "true");
    await expect(sh(third, "echo other")).rejects.toMatchObject({ code: "JOURNAL_MISMATCH" });
    job.checkpoints.pop();
    await sleep(300);
    await expect(open(job)).rejects.toMatchObject({ code: "JOURNAL_MISMATCH" });
  });

  it("drops what a predecessor types when it wakes up, and tells it", async () => {
    const job = makeTestJob();
    const count = file("woken");
    const old = await open(job);
    await sh(old, `echo 1 >>"${count}"`);
    const deaf = old as Shell; // still connected: it hears that another one has come
    const young = await open(job);
    await sh(young, `echo 1 >>"${count}"`);

    const late = sh(deaf, `echo late >>"${count}"`);
    await expect(late).rejects.toMatchObject({ code: "SHELL_SUPERSEDED" });
    const outcome = await sh(young, `echo 2 >>"${count}"; cat "${count}"`);

    expect(outcome.text).toBe("1\n2\n");
    expect(deaf.lost.reason).toMatchObject({ code: "SHELL_SUPERSEDED" });
  });

  it("does not go back to an earlier life that slept while a later one took over", async () => {
    const job = makeTestJob();
    const first = await open(job);
    await sh(first, "true");
    await die(first);
    const third = await job.open(3);
    shells.push(third);

    const second = job.open(2);

    await expect(second).rejects.toMatchObject({ code: "SHELL_SUPERSEDED" });
    expect((await sh(third, "true")).exitCode).toBe(0);
    expect((await sh(third, "echo still here")).text).toBe("still here\n");
  });

  it("takes over while a command runs, and can cancel it", async () => {
    const job = makeTestJob();
    const script = "trap 'echo stopped; exit 5' INT; echo ready; while :; do sleep 0.02; done";
    const first = await open(job);
    const dying = sh(first, script).catch((error: unknown) => error);
    await sleep(100);
    await die(first);
    await dying;

    const cancel = new AbortController();
    const second = await open(job);
    const outcome = await sh(
      second,
      script,
      {},
      { signal: cancel.signal, onOutput: () => cancel.abort() },
    );

    expect(outcome).toMatchObject({ exitCode: 5, text: "ready\nstopped\n" });
  });

  it("equals an undisturbed run, however often its client dies", async () => {
    const random = randomFrom(kind.name.length);
    const steps = Array.from({ length: 12 }, (_, step): Command => {
      const script = `i=0; while [ $i -lt 300 ]; do i=$((i + 1)); echo "$STEP.$i"; done; printf x >>"$COUNT"; echo "$STEP" >"$OUT"; exit $STEP`;
      return {
        argv: ["sh", "-c", script],
        cwd: tmpdir(),
        env: { STEP: String(step), COUNT: file("job-count"), OUT: file(`out-${step}`) },
        collect: [{ path: file(`out-${step}`), limitBytes: 99 }],
      };
    });
    const job = makeTestJob();
    const outputs: string[] = [];
    const results: Outcome[] = [];

    let deaths = 0;
    for (let done = false; !done; ) {
      const shell = await open(job);
      const killer = deaths < 15 ? setTimeout(() => void die(shell), random() * 60) : undefined;
      try {
        for (const [step, command] of steps.entries()) {
          const stored = job.checkpoints.length > step;
          const outcome = await run(shell, command);
          if (!stored) outputs[step] = outcome.text;
          results[step] = outcome;
        }
        done = true;
      } catch (error) {
        expect(error).toMatchObject(LOST);
        deaths++;
      } finally {
        clearTimeout(killer);
      }
    }

    expect(deaths).toBeGreaterThan(0);
    for (const step of steps.keys()) {
      const lines = Array.from({ length: 300 }, (_, index) => `${step}.${index + 1}\n`);
      expect(outputs[step]).toBe(lines.join(""));
      expect(results[step]).toMatchObject({ exitCode: step });
      expect(Object.values(results[step]?.files ?? {})[0]?.content.toString()).toBe(`${step}\n`);
    }
    expect(readFileSync(file("job-count"), "utf8")).toBe("x".repeat(steps.length));
  });
});

describe("a log", () => {
  const kind = place.shells[0] as ShellKind;

  /** A job of one command that printed 2,000 lines while nobody listened, and what comes back of it. */
  async function comeBackWith(
    readLog: (whole: NonNullable<ShellBackend["readLog"]>) => ShellBackend["readLog"],
  ): Promise<string> {
    await using job = makeJob(kind);
    const script =
      "i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); echo $i; done; sleep 0.3; echo end";
    const first = await job.open();
    const dying = sh(first, script).catch((error: unknown) => error);
    await sleep(100);
    await first[Symbol.asyncDispose]();
    await dying;

    const wrapped = readLog((options) => job.backend.readLog(options));
    const backend: ShellBackend = { ...job.backend, ...(wrapped && { readLog: wrapped }) };
    if (wrapped === undefined) delete backend.readLog;
    const signal = new AbortController().signal;
    await using second = await openShell(backend, { nonce: job.nonce, resume: true, signal });
    return (await sh(second, script)).text;
  }

  it("that is written later than the stream is waited for", async () => {
    let readings = 0;

    const text = await comeBackWith(
      (whole) =>
        async function* (options) {
          const late = ++readings < 4;
          for await (const piece of whole(options)) {
            yield late ? { ...piece, data: piece.data.subarray(0, 500 * readings) } : piece;
          }
        },
    );

    expect(readings).toBeGreaterThanOrEqual(4);
    const numbers = Array.from({ length: 2000 }, (_, index) => `${index + 1}\n`);
    expect(text).toBe(`${numbers.join("")}end\n`);
  });

  it("that has lost the beginning is told so in one line, and the rest is there", async () => {
    const text = await comeBackWith(
      (whole) =>
        async function* (options) {
          yield* whole({ ...options, tail: Math.min(options.tail ?? 100, 100) });
        },
    );

    const [first, ...rest] = text.split("\n");
    expect(first).toMatch(/^Berth: the beginning of this output is missing.* \d+ bytes/);
    expect(rest.at(-3)).toBe("2000");
    expect(rest.at(-2)).toBe("end");
    expect(rest.length).toBeLessThanOrEqual(103);
  });

  it("that has lost even the end of a command does not lose its result", async () => {
    await using job = makeJob(kind);
    const path = join(place.folder, "lost-end");
    const collect = [{ path, limitBytes: 99 }];
    const script = `echo value >"${path}"; exit 4`;
    const first = await job.open();
    const dying = sh(first, `sleep 0.1; ${script}`, { collect }).catch((error: unknown) => error);
    await sleep(50);
    await first[Symbol.asyncDispose]();
    await dying;
    await sleep(300);

    const readLog = (options: { signal: AbortSignal }) =>
      job.backend.readLog({ ...options, tail: 1 });
    const backend: ShellBackend = { ...job.backend, readLog };
    const signal = new AbortController().signal;
    await using second = await openShell(backend, { nonce: job.nonce, resume: true, signal });
    const outcome = await sh(second, `sleep 0.1; ${script}`, { collect });

    expect(outcome.exitCode).toBe(4);
    expect(outcome.text).toMatch(/^Berth: the beginning of this output is missing/);
    expect(outcome.files[path]?.content.toString()).toBe("value\n");
  });

  it("that nobody keeps is told so, and the command goes on", async () => {
    const text = await comeBackWith(() => undefined);

    expect(text).toBe("Berth: what was printed while nobody listened was not kept.\nend\n");
  });
});
