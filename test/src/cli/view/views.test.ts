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

it("prints a script step's name once, and its script below", async () => {
  const log = (line: string): RunEvent => ({ ...JOB, type: "log", step: 2, line });
  const lines = await plain(
    [
      ...FAILING.slice(0, 2),
      { ...JOB, type: "step_started", step: 2, stepName: "Run make all" },
      ...["##[group]Run make all", "make all", "##[endgroup]", "done"].map(log),
    ],
    "normal",
  );

  expect(lines.slice(1, 4)).toEqual(["[test] ▶ Run make all", "[test]   make all", "[test] done"]);
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
    expect(frame).toContain("… 45 more jobs");
  });

  it("gives up steps that are over before jobs when the terminal is low", async () => {
    const events: RunEvent[] = [
      ...FAILING.slice(0, -2),
      { ...JOB, name: "other", type: "job_started", host: "here", image: "debian" },
      ...Array.from({ length: 9 }, (_, at) => {
        const step = { ...JOB, name: "other", step: at + 1, stepName: `Step ${at + 1}` };
        return [
          { ...step, type: "step_started" } as const,
          ...(at < 8 ? [{ ...finished(at + 1, step.stepName, "success"), name: "other" }] : []),
        ];
      }).flat(),
    ];

    const screen = await whileRunning(events, { rows: 10, columns: 60 });

    expect(screen).toEqual([
      "⠋ test 2.0s",
      "    ✗ Test 1.0s",
      "⠋ other 2.0s",
      "    ⠋ Step 9 2.0s",
      "",
      "2 running · 2.0s",
    ]);
  });

  it("keeps the times beside names that are too long, or wide", async () => {
    const name = "依存関係をインストールするとても長い名前のステップ";

    const screen = await whileRunning(
      [...FAILING.slice(0, 2), { ...JOB, type: "step_started", step: 1, stepName: name }],
      { rows: 24, columns: 30 },
    );

    expect(screen).toEqual(["⠋ test 2.0s", "    ⠋ 依存関係をインス… 2.0s"]);
  });

  it("shows what the running step printed last, past the script it began with", async () => {
    const log = (line: string): RunEvent => ({ ...JOB, type: "log", step: 1, line });
    const begin: RunEvent[] = [
      ...FAILING.slice(0, 3),
      log("##[group]Run make"),
      log("make"),
      log("##[endgroup]"),
    ];

    const before = await whileRunning(begin, { rows: 24, columns: 60 });
    const after = await whileRunning(
      [...begin, log("\u001b[32mcc main.c\u001b[0m"), log(" 10 %\r 20 %\r")],
      { rows: 24, columns: 60 },
    );

    expect(before.at(-1)).toBe("    ⠋ Set up job 2.0s");
    expect(after.at(-1)).toBe("    ⠋ Set up job 2.0s  20 %");
  });

  it("leaves nothing of the list before it on the screen", async () => {
    const screen = fakeScreen({ rows: 24, columns: 40 });
    const view = liveView(screen, { style: createStyle(false), loudness: "normal" });
    for (const event of FAILING.slice(0, -2)) view.show(event);
    view.note("A note that is exactly as wide as it was");
    for (const event of FAILING.slice(-2)) view.show(event);
    view.note("second");
    await view[Symbol.asyncDispose]();

    expect(screen.lines()).toEqual([
      "A note that is exactly as wide as it was",
      "second",
      "",
      "✗ test › Test",
      "  ▸ Deep (1 line)",
      "  Error: broken",
      ...REPORT,
    ]);
  });
});

describe("several workflows at once", () => {
  it("are told apart by their files", async () => {
    const other = { run: "2", at: AT, job: "test", name: "test" };
    const events: RunEvent[] = [
      {
        ...other,
        type: "run_started",
        workflow: ".github/workflows/nightly.yaml",
        event: "push",
        sha: "",
      },
      ...FAILING,
      { ...other, type: "job_started", host: "here", image: "debian" },
      { ...other, type: "job_finished", conclusion: "success", outputs: {}, ms: 100 },
    ];

    const lines = await plain(events, "normal");

    expect(lines).toContain("[ci / test] ✗ failure");
    expect(lines).toContain("[nightly / test] ✓ success");
    expect(lines).toContain("✓ nightly / test  success    0.1s");
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

/** What a terminal shows in the end. */
async function live(
  events: readonly RunEvent[],
  size: { rows: number; columns: number },
): Promise<string[]> {
  const screen = fakeScreen(size);
  const view = liveView(screen, { style: createStyle(false), loudness: "normal" });
  for (const event of events) view.show(event);
  view.note("half-way");
  await view[Symbol.asyncDispose]();
  return screen.lines().filter((line) => line !== "half-way");
}

/** The list as it stands after these events, two seconds into the run. */
async function whileRunning(
  events: readonly RunEvent[],
  size: { rows: number; columns: number },
): Promise<string[]> {
  const screen = fakeScreen(size);
  const now = () => Date.parse(AT) + 2000;
  const view = liveView(screen, { style: createStyle(false), loudness: "normal", now });
  for (const event of events) view.show(event);
  view.note("the list:");
  const lines = screen.lines().slice(1, -1);
  await view[Symbol.asyncDispose]();
  return lines;
}

/** Heeds what the view uses of a terminal: up, carriage return, erase to the end of the line and of the screen. */
function fakeScreen(size: { rows: number; columns: number }) {
  const lines = [""];
  let row = 0;
  let column = 0;
  const put = (character: string) => {
    if (column === size.columns) {
      row += 1;
      column = 0;
    }
    const line = (lines[row] ?? "").padEnd(column);
    lines[row] = line.slice(0, column) + character + line.slice(column + 1);
    column += 1;
  };
  return {
    ...size,
    write(text: string) {
      for (const [, up, erase, character = ""] of text.matchAll(
        /\u001b\[(?:(\d+)A|([JK])|\?2026[hl])|([\s\S])/g,
      )) {
        if (up !== undefined) row -= Number(up);
        else if (character === "\r") column = 0;
        else if (character === "\n") {
          row += 1;
          column = 0;
          lines[row] ??= "";
        } else if (character !== "") put(character);
        if (erase !== undefined) lines[row] = (lines[row] ?? "").slice(0, column);
        if (erase === "J") lines.splice(row + 1);
      }
    },
    lines: () => [...lines],
  };
}
