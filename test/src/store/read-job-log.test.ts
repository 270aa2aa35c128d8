import { readdirSync, readFileSync, rmSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { JobEvent } from "../../../runner/job/job-event.ts";
import { jobFolder } from "../../../src/store/job-folder.ts";
import { type JobJournal, openJobJournal } from "../../../src/store/job-journal.ts";
import { readJobLog } from "../../../src/store/read-job-log.ts";
import { trimJobLogs } from "../../../src/store/trim-job-logs.ts";
import { temporaryFolder } from "./records.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

const finished: JobEvent = {
  type: "job_finished",
  job: "a",
  name: "a",
  conclusion: "success",
  outputs: {},
  ms: 1,
};

describe("a job's log", () => {
  it("is what the newest life has told, whole lines only", async () => {
    await using journal = await openJobJournal(folder.path);
    tell(journal, "one", "x".repeat(200_000), "three");

    expect(await linesOf(readJobLog(folder.path))).toEqual(["one", "x".repeat(200_000), "three"]);
    expect(await linesOf(readJobLog(join(folder.path, "nothing")))).toEqual([]);
  });

  it("goes on as it is told, until the job has finished", async () => {
    const path = join(folder.path, "job");
    const followed = readJobLog(path, { follow: true });
    const first = followed.next();
    await using journal = await openJobJournal(path);
    tell(journal, "one");
    expect(await first).toMatchObject({ value: { line: "one" } });

    const second = followed.next();
    tell(journal, "two");
    expect(await second).toMatchObject({ value: { line: "two" } });

    journal.record(finished);
    expect(await linesOf(followed)).toEqual(["job_finished"]);
  });

  it("goes on in the next life, and tells again only what is different", async () => {
    const followed = readJobLog(folder.path, { follow: true });
    {
      await using first = await openJobJournal(folder.path);
      tell(first, "one");
      await first.append(checkpoint(1));
      tell(first, "two", "three", "four");
      expect(await take(followed, 4)).toEqual(["one", "two", "three", "four"]);
    }
    await using second = await openJobJournal(folder.path);
    tell(second, "two", "three");
    const next = take(followed, 2);
    tell(second, "other", "five");

    expect(await next).toEqual(["other", "five"]);
    second.record(finished);
    expect(await linesOf(followed)).toEqual(["job_finished"]);
  });

  it("has each line once over many lives, each told again from its last checkpoint", async () => {
    const lines = Array.from({ length: 60 }, (_, index) => `line ${index}`);
    const followed = linesOf(readJobLog(folder.path, { follow: true }));
    let kept = 0;
    for (let end = 10; end <= 60; end += 10) {
      await using journal = await openJobJournal(folder.path);
      const half = end - 5;
      tell(journal, ...lines.slice(kept, half));
      await journal.append(checkpoint(end));
      kept = half;
      tell(journal, ...lines.slice(half, end));
      if (end === 60) journal.record(finished);
    }

    expect(await followed).toEqual([...lines, "job_finished"]);
  });

  it("is followed until it is aborted, or its folder is gone", async () => {
    await using journal = await openJobJournal(folder.path);
    tell(journal, "one");
    const abort = new AbortController();
    const aborted = readJobLog(folder.path, { follow: true, signal: abort.signal });
    const left = readJobLog(folder.path, { follow: true });
    await take(aborted, 1);
    await take(left, 1);

    const rest = [linesOf(aborted), linesOf(left)];
    abort.abort();
    rmSync(folder.path, { recursive: true });

    expect(await Promise.all(rest)).toEqual([[], []]);
  });
});

describe("a log that reaches its limit", () => {
  it("says so once, over lives, and keeps what is not a line of a step", async () => {
    const maxLogBytes = 300;
    const summary: JobEvent = {
      type: "step_summary",
      job: "a",
      name: "a",
      step: 1,
      markdown: "y".repeat(500),
    };
    {
      await using first = await openJobJournal(folder.path, { maxLogBytes });
      tell(first, "one", "x".repeat(400), "short");
      await first.append(checkpoint(1));
    }
    await using second = await openJobJournal(folder.path, { maxLogBytes });
    tell(second, "again");
    second.record(summary);
    second.record(finished);

    expect(await linesOf(readJobLog(folder.path))).toEqual([
      "one",
      expect.stringContaining("has reached its limit of 300 bytes"),
      "step_summary",
      "job_finished",
    ]);
  });

  it("has no limit unless one is given", async () => {
    await using journal = await openJobJournal(folder.path);
    tell(journal, "x".repeat(1e6), "last");

    expect((await linesOf(readJobLog(folder.path))).at(-1)).toBe("last");
    const [events = ""] = readdirSync(folder.path).filter((name) => name.startsWith("events."));
    expect(readFileSync(join(folder.path, events)).length).toBeGreaterThan(1e6);
  });
});

it("removes logs of ended jobs when they are old enough", async () => {
  const ids = ["1-1.old", "1-1.open", "1-1.young", "1-1.odd/../name"];
  for (const id of ids) {
    await using journal = await openJobJournal(jobFolder(folder.path, id));
    tell(journal, "one");
  }
  const [old = "", open = "", young = "", odd = ""] = ids;
  for (const id of [old, open, odd]) {
    const path = jobFolder(folder.path, id);
    for (const name of ["", ...readdirSync(path)]) utimesSync(join(path, name), 1, 1);
  }

  const removed = await trimJobLogs(folder.path, {
    keepMs: 60_000,
    isOpen: async (id) => id === open,
  });

  expect(removed.sort()).toEqual([odd, old]);
  expect(await linesOf(readJobLog(jobFolder(folder.path, old)))).toEqual([]);
  expect(await linesOf(readJobLog(jobFolder(folder.path, open)))).toEqual(["one"]);
  expect(await linesOf(readJobLog(jobFolder(folder.path, young)))).toEqual(["one"]);
  expect(await trimJobLogs(join(folder.path, "none"), { keepMs: 0, isOpen: () => false })).toEqual(
    [],
  );
});

function tell(journal: JobJournal, ...lines: string[]): void {
  for (const line of lines) journal.record({ type: "log", job: "a", name: "a", step: 1, line });
}

/** The text of lines, and of other events their type. */
async function linesOf(events: AsyncIterable<JobEvent>): Promise<string[]> {
  return (await Array.fromAsync(events)).map(textOf);
}

async function take(events: AsyncGenerator<JobEvent, void>, count: number): Promise<string[]> {
  const taken: string[] = [];
  while (taken.length < count) {
    const { value } = await events.next();
    if (value) taken.push(textOf(value));
  }
  return taken;
}

function textOf(event: JobEvent): string {
  return event.type === "log" ? event.line : event.type;
}

function checkpoint(number: number) {
  const result = { started: true, exitCode: 0, files: {} };
  return { number, hash: `hash-${number}`, result };
}
