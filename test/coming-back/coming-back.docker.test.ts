import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "@jest/globals";
import type { JobEvent } from "../../runner/job/job-event.ts";
import { findLeftovers, jobImage } from "../engine.ts";
import { seededRandom } from "../seeded-random.ts";

const ROUNDS = process.env.BERTH_LONG ? 100 : 4;
const SEED = Number(process.env.BERTH_SEED ?? 20_261);
const random = seededRandom(SEED);

let image: string;
let undisturbed: ReturnType<typeof essence>;
let wholeMs: number;

beforeAll(async () => {
  image = await jobImage();
  const begun = performance.now();
  const { events } = await runUntilDone("undisturbed", []);
  wholeMs = performance.now() - begun;
  undisturbed = essence(events);
});

describe(`a job whose process dies (seed ${SEED})`, () => {
  const rounds = Array.from({ length: ROUNDS }, (_, n) => ({
    n,
    kills: Array.from({ length: 1 + Math.floor(random() * 3) }, random),
    way: random() < 0.75 ? ("kill" as const) : ("stop" as const),
  }));

  it.each(rounds)("ends as if nothing had happened, round $n ($way)", async ({ n, kills, way }) => {
    const { events, lives } = await runUntilDone(`${way}-${n}`, kills, way);

    expect(essence(events)).toEqual(undisturbed);
    expect(lives).toBeGreaterThan(1);
    expect(await findLeftovers(`${way}-${n}-${process.pid}`)).toEqual([]);
  });
});

it("takes a job over from processes that were stopped for good, one after the other, while the job prints", async () => {
  const id = `stopped-${process.pid}`;
  const folder = mkdtempSync(join(tmpdir(), "berth-coming-back-"));
  const blockLines = 400_000; // 3 MB a step: more than the engine takes before it lets nobody else attach
  const stopped: ChildProcess[] = [];
  const gone: Promise<unknown>[] = [];
  try {
    for (const bytes of [1_000_000, 60_000_000]) {
      const life = start(folder, id, blockLines);
      stopped.push(life);
      gone.push(once(life, "exit"));
      await logOf(folder, bytes);
      life.kill("SIGSTOP");
    }

    const last = start(folder, id, blockLines);
    const [code] = await once(last, "exit");

    expect(await Promise.all(gone)).toEqual([
      [null, "SIGKILL"],
      [null, "SIGKILL"],
    ]);
    const events = JSON.parse(readFileSync(join(folder, "events.json"), "utf8")) as JobEvent[];
    const blocks = events.filter((event) => event.type === "log" && event.line === "block 20");
    expect([code, blocks.length, events.at(-1)]).toMatchObject([
      0,
      blockLines,
      { type: "job_finished", conclusion: "success" },
    ]);
  } finally {
    for (const life of stopped) life.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Waits until the job in `folder` has told that many bytes. */
async function logOf(folder: string, bytes: number): Promise<void> {
  for (let size = 0; size < bytes; await pause(20)) {
    const journal = join(folder, "journal");
    const names = existsSync(journal) ? readdirSync(journal) : [];
    size = Math.max(
      0,
      ...names
        .filter((name) => name.startsWith("events"))
        .map((name) => statSync(join(journal, name)).size),
    );
  }
}

/** What must be the same however often the job's process died: all but times, places and what it took. */
function essence(events: JobEvent[]) {
  return events.map((event) => {
    const { ms: _, usage: __, ...rest } = { ms: 0, usage: {}, ...event };
    return JSON.stringify({ ...rest, host: "", image: "" }).replace(/'berth-[^']*'/, "its name");
  });
}

/**
 * Lets the job run and disturbs its process at the given fractions of an undisturbed run's time; then lets the last process finish. A process that
 * was stopped wakes up again while the next one is at work.
 */
async function runUntilDone(
  name: string,
  fractions: number[],
  way: "kill" | "stop" = "kill",
): Promise<{ events: JobEvent[]; lives: number }> {
  const id = `${name}-${process.pid}`;
  const folder = mkdtempSync(join(tmpdir(), "berth-coming-back-"));
  const result = join(folder, "events.json");
  const sleepers: ChildProcess[] = [];
  let lives = 0;
  try {
    for (const fraction of fractions) {
      const child = start(folder, id);
      lives++;
      const ended = once(child, "exit");
      await Promise.race([ended, pause(200 + fraction * (wholeMs - 200))]);
      if (way === "kill") {
        child.kill("SIGKILL");
        await ended;
      } else if (child.exitCode === null) {
        child.kill("SIGSTOP");
        sleepers.push(child);
      }
    }
    const last = start(folder, id);
    lives++;
    const ended = once(last, "exit");
    let complaints = "";
    last.stderr?.on("data", (text) => {
      complaints += text;
    });
    await pause(150);
    for (const sleeper of sleepers) sleeper.kill("SIGCONT");
    const [code] = await ended;
    if (code !== 0) throw new Error(`the last process ended with ${code}: ${complaints}`);
    for (const sleeper of sleepers) {
      if (sleeper.exitCode === null && sleeper.signalCode === null) await once(sleeper, "exit");
    }
    return { events: JSON.parse(readFileSync(result, "utf8")) as JobEvent[], lives };
  } finally {
    for (const sleeper of sleepers) sleeper.kill("SIGKILL");
    if (existsSync(folder)) rmSync(folder, { recursive: true, force: true });
  }
}

function start(folder: string, id: string, blockLines = 20_000): ChildProcess {
  const driver = join(import.meta.dirname, "driver.ts");
  const hooks = join(import.meta.dirname, "json-imports.ts");
  const argv = ["--no-warnings", "--import", hooks, driver, folder, id, image, String(blockLines)];
  return spawn(process.execPath, argv, {
    stdio: ["ignore", "ignore", "pipe"],
  });
}
