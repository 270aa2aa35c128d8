import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { beforeAll, expect, it } from "@jest/globals";
import type { JobEvent } from "../../runner/job/job-event.ts";
import { JOB_LABEL } from "../../src/containers/labels.ts";
import { findLeftovers, jobImage, testEngine } from "../engine.ts";

let image: string;
beforeAll(async () => {
  image = await jobImage();
}, 120_000);

it("comes back with another token after kill -9, which the steps that are left get", async () => {
  const { events, leftovers } = await inTwoLives("token", "step 2 has");

  const lines = events.flatMap((event) => (event.type === "log" ? [event.line] : []));
  expect(lines.filter((line) => /^(step|ran|and) /.test(line))).toEqual([
    "step 1 has g.h.s._.l.i.f.e.1.",
    "step 2 has g.h.s._.l.i.f.e.1.",
    "step 3 has g.h.s._.l.i.f.e.2.",
    "ran 123",
    "and *** and ***",
  ]);
  expect(events.at(-1)).toMatchObject({ type: "job_finished", conclusion: "success" });
  expect(leftovers).toEqual([]);
}, 60_000);

it("says that time was up when the container has ended meanwhile", async () => {
  const { events, leftovers } = await inTwoLives("slow", "step 1 has", async (id) => {
    const { docker } = await testEngine();
    const filters = { label: [`${JOB_LABEL}=${id}`] };
    const [container] = await docker.listContainers({ filters });
    await docker.getContainer(container?.Id ?? "").kill();
    await pause(1500); // until the job's time is up
  });

  expect(events.at(-1)).toMatchObject({
    type: "job_finished",
    conclusion: "cancelled",
    death: "deadline",
    reason: expect.stringMatching(/exceeded the maximum execution time of 0.02 minutes/),
  });
  expect(leftovers).toEqual([]);
}, 60_000);

/** Runs one of the driver's jobs, kills it with -9 once it has told a line that begins so, and lets another process finish it. */
async function inTwoLives(
  kind: string,
  line: string,
  meanwhile: (id: string) => Promise<void> = async () => undefined,
): Promise<{ events: JobEvent[]; leftovers: string[] }> {
  const id = `${kind}-life-${process.pid}`;
  const folder = mkdtempSync(join(tmpdir(), "berth-tokens-"));
  const [hooks = "", driver = ""] = ["json-imports.ts", "driver.ts"].map((file) =>
    join(import.meta.dirname, file),
  );
  const words = ["--no-warnings", "--import", hooks, driver, folder, id, image, kind];
  const start = () => spawn(process.execPath, words, { stdio: ["ignore", "ignore", "inherit"] });
  try {
    const first = start();
    const ended = once(first, "exit");
    while (!told(folder).includes(`"line":"${line}`)) await pause(20);
    first.kill("SIGKILL");
    await ended;
    await meanwhile(id);

    expect((await once(start(), "exit"))[0]).toBe(0);
    const events = JSON.parse(readFileSync(join(folder, "events.json"), "utf8")) as JobEvent[];
    return { events, leftovers: await findLeftovers(id) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the job has told so far. */
function told(folder: string): string {
  const journal = join(folder, "journal");
  const names = existsSync(journal) ? readdirSync(journal) : [];
  const files = names.filter((name) => name.startsWith("events"));
  return files.map((name) => readFileSync(join(journal, name), "utf8")).join("");
}
