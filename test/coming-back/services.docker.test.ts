import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "@jest/globals";
import type { JobEvent } from "../../runner/job/job-event.ts";
import { findLeftovers, testMachine } from "../engine.ts";

it.each([
  ["while the services start", 0],
  ["while steps run", 3],
])(
  "a job whose process is killed %s is come back to, and its services are started once",
  async (when, visits) => {
    const id = `services-${visits}-${process.pid}`;
    const folder = mkdtempSync(join(tmpdir(), "berth-coming-back-"));
    try {
      const first = start(folder, id);
      const killed = once(first, "exit");
      if (visits === 0) await containerOf(id);
      else await visited(first, folder, visits);
      first.kill("SIGKILL");
      await killed;

      const [code] = await once(start(folder, id), "exit");

      const events = JSON.parse(readFileSync(join(folder, "events.json"), "utf8")) as JobEvent[];
      const lines = events.flatMap((event) => (event.type === "log" ? [event.line] : []));
      const seen = lines.filter((line) => line.startsWith("visit "));
      expect([when, code, seen]).toEqual([
        when,
        0,
        Array.from({ length: 8 }, (_, index) => `visit ${index + 1}`),
      ]);
      expect(lines.filter((line) => line === "counter service is healthy.")).toHaveLength(1);
      expect(events.at(-1)).toMatchObject({ type: "job_finished", conclusion: "success" });
      expect(await findLeftovers(id)).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

function start(folder: string, id: string): ChildProcess {
  const [hooks, driver] = ["json-imports.ts", "services-driver.ts"].map((name) =>
    join(import.meta.dirname, name),
  ) as [string, string];
  return spawn(process.execPath, ["--no-warnings", "--import", hooks, driver, folder, id], {
    stdio: ["ignore", "inherit", "inherit"],
  });
}

/** Waits until a service of the job has a container. */
async function containerOf(id: string): Promise<void> {
  const { engine } = await testMachine();
  const filters = { label: [`io.berth.job=${id}`, "io.berth.kind=service"] };
  while ((await engine.docker.listContainers({ all: true, filters })).length === 0) await pause();
}

/** Waits until so many visits stand in the job's journal. */
async function visited(child: ChildProcess, folder: string, visits: number): Promise<void> {
  for (let seen = 0; seen < visits && child.exitCode === null; await pause()) {
    seen = journalText(folder).split('"visit ').length - 1;
  }
}

function journalText(folder: string): string {
  const journal = join(folder, "journal");
  const names = existsSync(journal) ? readdirSync(journal) : [];
  return names
    .filter((name) => name.startsWith("events"))
    .map((name) => readFileSync(join(journal, name), "utf8"))
    .join("");
}

const pause = () => sleep(20);
