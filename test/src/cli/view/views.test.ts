import { Writable } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "@jest/globals";
import { liveView } from "../../../../src/cli/view/live-view.ts";
import { type Loudness, plainView } from "../../../../src/cli/view/plain-view.ts";
import type { RunEvent } from "../../../../src/cli/view/run-event.ts";
import { spillingWriter } from "../../../../src/cli/view/spilling-writer.ts";
import { createStyle } from "../../../../src/cli/view/style.ts";

const AT = "2026-01-02T03:04:05.000Z";
const RUN = { run: "1", at: AT };
const JOB = { ...RUN, job: "test", name: "test" };

const FAILING: RunEvent[] = [
  { ...RUN, type: "run_started", workflow: "ci.yml", event: "push", sha: "" },
  { ...JOB, type: "job_started", host: "here", image: "debian" },
  { ...JOB, type: "step_started", step: 1, stepName: "Set up job" },
  { ...JOB, type: "log", step: 1, line: "Prepare workflow directory" },
  finished(1, "Set up job", "success"),
  { ...JOB, type: "step_started", step: 2, stepName: "Test" },
  { ...JOB, type: "log", step: 2, line: "##[group]Deep" },
  { ...JOB, type: "log", step: 2, line: "inside" },
  { ...JOB, type: "log", step: 2, line: "##[endgroup]" },
  { ...JOB, type: "log", step: 2, line: "##[error]broken" },
  { ...JOB, type: "annotation", step: 2, level: "error", message: "broken", file: "a.c" },
  finished(2, "Test", "failure"),
  { ...JOB, type: "step_started", step: 3, stepName: "Never" },
  finished(3, "Never", "skipped"),
  { ...JOB, type: "job_finished", conclusion: "failure", outputs: {}, ms: 1500 },
  { ...RUN, type: "run_finished", conclusion: "failure", ms: 2000 },
];

const REPORT = [
  "",
  "Annotations",
  "  error    test  a.c: broken",
  "",
  "✗ test  failure    1.5s",
  "",
  "ci.yml failed in 2.0s",
  "",
];

describe("plain lines", () => {
  it("name their job and tell each step with its time, then the summary", async () => {
    expect(await plain(FAILING, "normal")).toEqual([
      "[test] on here, image debian",
      "[test] ▶ Set up job",
      "[test] ✓ Set up job (1.0s)",
      "[test] ▶ Test",
      "[test] ▸ Deep",
      "[test]   inside",
      "[test] Error: broken",
      "[test] ✗ Test (1.0s)",
      "[test] - Never (skipped)",
      "[test] ✗ failure",
      ...REPORT,
    ]);
  });

  it("are with -q only the failed step's log and the summary", async () => {
    expect(await plain(FAILING, "quiet")).toEqual([
      "",
      "✗ test › Test",
      "  ▸ Deep (1 line)",
      "  Error: broken",
      ...REPORT,
    ]);
  });

  it("are with -v everything", async () => {
    expect(await plain(FAILING, "verbose")).toContain("[test] Prepare workflow directory");
  });
});

describe("the live list", () => {
  it("ends as the failed step's log and the summary", async () => {
    const screen = await live(FAILING, { rows: 24, columns: 80 });

    expect(screen).toEqual([
      "",
      "✗ test › Test",
      "  ▸ Deep (1 line)",
      "  Error: broken",
      ...REPORT,
    ]);
  });

  it("never draws more lines than the terminal has, nor longer ones", async () => {
    const many = Array.from({ length: 50 }, (_, at): RunEvent[] => {
      const job = { ...RUN, job: "x", name: `job ${at} ${"long ".repeat(20)}` };
      return [{ ...job, type: "job_started", host: "h", image: "i" }];
    }).flat();
    const written: string[] = [];
    const terminal = { rows: 10, columns: 40, write: (text: string) => written.push(text) };

    const view = liveView(terminal, { style: createStyle(true), loudness: "normal" });
    for (const event of many) view.show(event);
    view.note("drawn");
    await view[Symbol.asyncDispose]();

    const frame = stripVTControlCharacters(written[0] ?? "").split("\n");
    expect(frame.length).toBeLessThanOrEqual(11);
    expect(Math.max(...frame.map(({ length }) => length))).toBeLessThanOrEqual(40);
    expect(frame.some((line) => /^… \d+ more lines$/.test(line))).toBe(true);
  });
});

function finished(
  step: number,
  stepName: string,
  conclusion: "success" | "failure" | "skipped",
): RunEvent {
  return {
    ...JOB,
    type: "step_finished",
    step,
    stepName,
    outcome: conclusion,
    conclusion,
    ms: 1000,
  };
}

async function plain(events: readonly RunEvent[], loudness: Loudness): Promise<string[]> {
  let text = "";
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += chunk;
      done();
    },
  });
  {
    const writer = spillingWriter(stream);
    await using view = plainView(writer, writer, { style: createStyle(false), loudness });
    for (const event of events) view.show(event);
  }
  return text.split("\n");
}

/** What a terminal shows in the end: a new frame begins where the one before began. */
async function live(
  events: readonly RunEvent[],
  size: { rows: number; columns: number },
): Promise<string[]> {
  const screen: string[] = [""];
  const terminal = {
    ...size,
    write(text: string) {
      const up = Number(/\u001b\[(\d+)A/.exec(text)?.[1] ?? 0);
      if (text.includes("\u001b[J")) screen.splice(screen.length - 1 - up, up + 1, "");
      const [first = "", ...rest] = stripVTControlCharacters(text).replaceAll("\r", "").split("\n");
      screen[screen.length - 1] += first;
      screen.push(...rest);
    },
  };
  const view = liveView(terminal, { style: createStyle(false), loudness: "normal" });
  for (const event of events) view.show(event);
  view.note("half-way");
  await view[Symbol.asyncDispose]();
  return screen.filter((line) => line !== "half-way");
}
