import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { beforeAll, expect, it } from "@jest/globals";
import type { JobEvent } from "../../runner/job/job-event.ts";
import { findLeftovers, jobImage, makeTestImages } from "../engine.ts";
import { seededRandom } from "../seeded-random.ts";

const ROUNDS = process.env.BERTH_LONG ? 40 : 2;
const SEED = Number(process.env.BERTH_SEED ?? 20_262);
const random = seededRandom(SEED);

let image: string;
let wholeMs: number;
let undisturbed: string[];

beforeAll(async () => {
  await makeTestImages();
  image = await jobImage();
  const begun = performance.now();
  undisturbed = essence(await runUntilDone("docker-undisturbed", []));
  wholeMs = performance.now() - begun;
}, 120_000);

const rounds = Array.from({ length: ROUNDS }, (_, n) => ({
  n,
  kills: Array.from({ length: 1 + Math.floor(random() * 3) }, random),
}));

it("runs each docker action once", () => {
  expect(undisturbed.at(-1)).toContain('"o1":"1-1/1","o2":"2-1/2","o3":"3-1/3","o4":"4-1/4"');
});

it.each(rounds)(
  `comes back to docker actions as if nothing had happened, round $n (seed ${SEED})`,
  async ({ n, kills }) => {
    const events = await runUntilDone(`docker-${n}`, kills);

    expect(essence(events)).toEqual(undisturbed);
    expect(await findLeftovers(`docker-${n}-${process.pid}`)).toEqual([]);
  },
  120_000,
);

/** What must be the same however often the job's process died: all but times, places and what it took. */
function essence(events: JobEvent[]): string[] {
  return events.map((event) => {
    const { ms: _, usage: __, ...rest } = { ms: 0, usage: {}, ...event };
    return JSON.stringify({ ...rest, host: "", image: "" }).replace(/'berth-[^']*'/, "its name");
  });
}

/** Lets the job run, kills its process at the given fractions of an undisturbed run's time, and lets the last one finish. */
async function runUntilDone(name: string, fractions: number[]): Promise<JobEvent[]> {
  const folder = mkdtempSync(join(tmpdir(), "berth-coming-back-"));
  const [hooks = "", driver = ""] = ["json-imports.ts", "driver.ts"].map((file) =>
    join(import.meta.dirname, file),
  );
  const job = [folder, `${name}-${process.pid}`, image, "docker"];
  const words = ["--no-warnings", "--import", hooks, driver, ...job];
  const start = () => spawn(process.execPath, words, { stdio: ["ignore", "ignore", "inherit"] });
  try {
    for (const fraction of fractions) {
      const child = start();
      const ended = once(child, "exit");
      await Promise.race([ended, pause(500 + fraction * (wholeMs - 500))]);
      child.kill("SIGKILL");
      await ended;
    }
    expect((await once(start(), "exit"))[0]).toBe(0);
    return JSON.parse(readFileSync(join(folder, "events.json"), "utf8")) as JobEvent[];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
