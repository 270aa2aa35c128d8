import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { JobEvent } from "../../../runner/job/job-event.ts";
import type { Checkpoint } from "../../../runner/shell/shell.ts";
import { openJobJournal } from "../../../src/store/job-journal.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "berth-journal-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("a job's journal", () => {
  it("is empty in the first life and keeps every checkpoint for the next", async () => {
    {
      await using first = await openJobJournal(folder, { now: () => 1234 });
      expect([...first.checkpoints]).toEqual([]);
      for (const number of [1, 2, 3]) await first.append(checkpoint(number));
    }

    await using second = await openJobJournal(folder, { now: () => 9999 });

    expect(second.startedAt).toBe(1234);
    expect(second.generation).toBe(2);
    expect(second.checkpoints).toEqual([1, 2, 3].map(checkpoint));
  });

  it("returns bytes, notes and reasons as they were", async () => {
    const odd: Checkpoint = {
      number: 1,
      hash: "ab",
      result: {
        started: false,
        reason: "no-program",
        exitCode: 127,
        files: { "/a b\n": { content: Buffer.from([0, 255, 10]), truncated: true, sizeBytes: 70 } },
        notes: { masks: ["x"], nested: [1, null, true] },
      },
    };
    {
      await using first = await openJobJournal(folder);
      await first.append(odd);
    }

    await using second = await openJobJournal(folder);

    expect(second.checkpoints).toEqual([odd]);
  });

  it("knows a job that has ended, with all that it told, whatever comes after", async () => {
    const finished = {
      type: "job_finished",
      job: "a",
      name: "a",
      conclusion: "success",
      outputs: {},
      ms: 1,
    } as const;
    {
      await using first = await openJobJournal(folder);
      await first.append(checkpoint(1));
      first.record(finished);
    }

    for (let life = 2; life < 4; life++) {
      await using later = await openJobJournal(folder);

      expect(later.isFinished).toBe(true);
      expect(await Array.fromAsync(later.told())).toEqual([finished]);
    }
  });

  it("loses at most the checkpoint that was being written, wherever the write was cut", async () => {
    {
      await using first = await openJobJournal(folder);
      await first.append(checkpoint(1));
      await first.append(checkpoint(2));
    }
    const name = join(folder, "journal.1.jsonl");
    const whole = await readFile(name);
    const lastStart = whole.lastIndexOf("\n", whole.length - 2) + 1;

    const found: number[] = [];
    for (let length = lastStart; length <= whole.length; length += 1) {
      const copy = await mkdtemp(join(tmpdir(), "berth-journal-"));
      await writeFile(join(copy, "journal.1.jsonl"), whole.subarray(0, length));
      const [events] = (await readdir(folder)).filter((file) => file.startsWith("events."));
      await writeFile(join(copy, String(events)), "");
      await using next = await openJobJournal(copy);
      found.push(next.checkpoints.length);
      await rm(copy, { recursive: true });
    }

    expect(found).toEqual([...Array(whole.length - lastStart).fill(1), 2]);
  });

  it("begins anew when not even its first line was written", async () => {
    await writeFile(join(folder, "journal.1.jsonl"), '{"berthJourn');

    await using journal = await openJobJournal(folder);

    expect([...journal.checkpoints]).toEqual([]);
    await journal.append(checkpoint(1));
  });

  it("cuts what was told back to the last checkpoint", async () => {
    {
      await using first = await openJobJournal(folder);
      first.record(line("one"));
      await first.append(checkpoint(1));
      first.record(line("two"));
      await first.append(checkpoint(2));
      first.record(line("told, but its command never finished"));
    }
    {
      await using second = await openJobJournal(folder);
      expect(await Array.fromAsync(second.told())).toEqual([line("one"), line("two")]);
      second.record(line("three"));
      await second.append(checkpoint(3));
    }

    await using third = await openJobJournal(folder);

    expect(await Array.fromAsync(third.told())).toEqual(["one", "two", "three"].map(line));
  });

  it("stops an old process that wakes up, which has written only where nobody reads", async () => {
    await using old = await openJobJournal(folder);
    await old.append(checkpoint(1));
    {
      await using next = await openJobJournal(folder);
      old.record(line("from the past"));
      await expect(old.append(checkpoint(2))).rejects.toMatchObject({ code: "SHELL_SUPERSEDED" });
      expect(() => old.confirm?.()).toThrow("Another process");
      next.record(line("from now"));
      await next.append(checkpoint(5));
    }

    await using last = await openJobJournal(folder);

    expect(last.checkpoints.map(({ number }) => number)).toEqual([1, 5]);
    expect(await Array.fromAsync(last.told())).toEqual([line("from now")]);
  });

  it("is opened by only one of several that try at the same time", async () => {
    {
      await using first = await openJobJournal(folder);
      await first.append(checkpoint(1));
    }

    const tries = await Promise.allSettled(Array.from({ length: 8 }, () => openJobJournal(folder)));

    const won = tries.filter((one) => one.status === "fulfilled").map((one) => one.value);
    const lost = tries.filter((one) => one.status === "rejected").map((one) => one.reason.code);
    const generations = won.map(({ generation }) => generation);
    expect(new Set(generations).size).toBe(generations.length);
    expect(new Set([...lost, "SHELL_SUPERSEDED"])).toEqual(new Set(["SHELL_SUPERSEDED"]));
    expect(won.every(({ checkpoints }) => checkpoints.length === 1)).toBe(true);
    for (const journal of won) await journal[Symbol.asyncDispose]();
  });

  it("is readable by its owner only and leaves one generation in its folder", async () => {
    for (let life = 0; life < 3; life += 1) {
      await using journal = await openJobJournal(folder);
      await journal.append(checkpoint(life));
    }

    const files = await readdir(folder);

    expect(files.map((file) => file.split(".")[0]).sort()).toEqual(["events", "journal"]);
    for (const file of files) {
      expect((await stat(join(folder, file))).mode & 0o777).toBe(0o600);
    }
  });

  it("says which line is damaged", async () => {
    {
      await using first = await openJobJournal(folder);
      await first.append(checkpoint(1));
      await first.append(checkpoint(2));
    }
    const name = join(folder, "journal.1.jsonl");
    const lines = (await readFile(name, "utf8")).split("\n");
    await truncate(name);
    await writeFile(name, [lines[0], "{}", lines[2], ""].join("\n"));

    await expect(openJobJournal(folder)).rejects.toMatchObject({
      code: "JOURNAL_MISMATCH",
      message: expect.stringContaining("journal.1.jsonl:2:"),
    });
  });
});

function checkpoint(number: number): Checkpoint {
  return {
    number,
    hash: `hash-${number}`,
    result: {
      started: true,
      exitCode: 0,
      files: { "/out": { content: Buffer.from(`a=${number}\n`), truncated: false, sizeBytes: 4 } },
    },
  };
}

function line(text: string): JobEvent {
  return { type: "log", job: "a", name: "a", step: 1, line: text };
}
