import { expect, it } from "@jest/globals";
import type { JobEvent } from "../../../../runner/job/job-event.ts";
import type { CheckSubject, JobEnding } from "../../../../src/fleet/report/check-subject.ts";
import { renderCheck } from "../../../../src/fleet/report/render-check.ts";
import { told, viewOf } from "./told-job.ts";

const running = [
  told.started(),
  told.step(1, "Set up job"),
  told.stepEnded(1, "Set up job"),
  told.step(2, "Test"),
];
const failing = [
  ...running,
  told.annotation(2, { level: "error", message: "Process completed with exit code 1." }),
  told.stepEnded(2, "Test", "failure"),
  told.ended("failure"),
];

function render(events: readonly JobEvent[], subject: Partial<CheckSubject> = {}) {
  return renderCheck({ view: viewOf(events), labels: ["berth", "gpu"], ...subject });
}

function ended(events: readonly JobEvent[], ending: Partial<JobEnding>) {
  return render(events, {
    ending: { conclusion: "success", atMs: 9_000, ...ending },
    startedAtMs: 1_000,
  });
}

it("says why a job waits, with a button to cancel it", () => {
  expect(render([], { waiting: "both GPUs of gpu-1 are taken." })).toEqual({
    status: "queued",
    title: "Waits: both GPUs of gpu-1 are taken.",
    summary: "Waits: both GPUs of gpu-1 are taken.\n\nLabels: `berth` · `gpu`".replace(" · ", ", "),
    actions: [expect.objectContaining({ label: "Cancel", identifier: "cancel" })],
  });
});

it("says of a job that was skipped that it did not run", () => {
  const ending = { conclusion: "skipped", atMs: 1 } as const;

  expect(render([], { ending, labels: [] })).toMatchObject({
    ...{ status: "completed", conclusion: "skipped", title: "Skipped" },
    ...{ summary: "The job did not run.", actions: [] },
  });
});

it("shows a running job's step and the table of its steps", () => {
  const check = render(running, { stepCount: 3, startedAtMs: 1_000 });

  expect(check).toMatchObject({
    ...{ status: "in_progress", startedAtMs: 1_000 },
    title: "Running on gpu-1: step 2 of 5, Test",
  });
  expect(check.summary).toContain("Host: `gpu-1` · Image: `img:1`");
  expect(check.summary).toContain("| ✓ | 1 | Set up job | 1.5 s |\n| ● | 2 | Test |  |");
});

it.each<[string, readonly JobEvent[], Partial<JobEnding>]>([
  ["Succeeded in 2 m 3 s", [...running, told.ended("success")], {}],
  ["Failed in step Test: exit code 1", failing, { conclusion: "failure" }],
  ["Bad.", failing, { conclusion: "failure", reason: "Bad." }],
  [
    "Out of memory: killed.",
    failing,
    { conclusion: "failure", reason: "killed.", death: "out-of-memory" },
  ],
  ["Cancelled", running, { conclusion: "cancelled" }],
  ["Cancelled by octocat.", running, { conclusion: "cancelled", reason: "Cancelled by octocat." }],
  ["Skipped: a need failed.", [], { conclusion: "skipped", reason: "a need failed." }],
  ["Timed out: 5 minutes.", running, { conclusion: "timed_out", reason: "5 minutes." }],
  ["Forks are denied.", [], { conclusion: "action_required", reason: "Forks are denied." }],
])("ends with the title %j", (title, events, ending) => {
  const check = ended(events, ending);

  expect(check).toMatchObject({ status: "completed", title, completedAtMs: 9_000, actions: [] });
  expect(check.conclusion).toBe(ending.conclusion ?? "success");
});

it("shows outputs, what the job used, and the end of the failed step's log", () => {
  const events = [...running, told.line(2, "boom"), told.stepEnded(2, "Test", "failure")];
  const { summary } = ended([...events, told.ended("failure", { version: "1.2" })], {
    conclusion: "failure",
    usage: { peakMemoryBytes: 3 * 1024 ** 3, cpuSeconds: 75 },
  });

  expect(summary).toContain("| version | 1.2 |");
  expect(summary).toContain("Peak memory: 3 GiB · CPU time: 1 m 15 s");
  expect(summary).toContain("<summary>End of the failed step's log</summary>");
  expect(summary).toContain("```text\nboom\n```");
});

it("says that a host failed the job, and what to do", () => {
  const { summary } = ended(failing, {
    ...{ conclusion: "failure", death: "engine-lost", reason: "The engine is gone." },
  });

  expect(summary).toMatch(
    /^\*\*The engine is gone\.\*\*\n\nThis is no failure of the job's steps: .*\n\nWhat to do: Look at the host and its container engine, then run the job again\.\n/,
  );
});

it("lets no name, reason, output or log line make Markdown or HTML of its own", () => {
  const evil = "x | <img src=x onerror=y> [a](http://b) @octo **b** `c`\n# d";
  const { title, summary } = ended(
    [
      told.started("h`<b>`\n"),
      told.step(1, evil),
      told.line(1, "```"),
      told.line(1, "````\u001b]8;;http://b\u0007</details>"),
      told.stepEnded(1, evil, "failure"),
      told.ended("failure", { out: evil }),
    ],
    { conclusion: "failure", reason: `1. ${evil}` },
  );

  const [ours = "", log = ""] = summary.split("`````text\n");
  const outside = ours.replace("`h'<b>'`", "(code)");
  expect(title).not.toContain("\n");
  expect(outside).toContain("Host: (code)");
  expect(outside).not.toMatch(/[^\\]<(?!details|\/details|summary|\/summary)/);
  expect(outside).not.toMatch(/[^\\]\[|[^\\]:\/\/|@octo|[^*\\]\*\*b/);
  expect(outside).toContain("| ✗ | 1 | x \\| \\<img");
  expect(outside).toContain("**1\\. x");
  expect(log).toBe("```\n````</details>\n`````\n\n</details>");
});

it("puts step summaries, which are Markdown, where they cannot hide what is ours", () => {
  const check = render([...running, told.summary(2, "# Coverage\n<!-- open")]);

  expect(check.text).toBe("### Test\n\n# Coverage\n<!-- open");
  expect(check.summary).not.toContain("Coverage");
});

it("stays below GitHub's limits by leaving out what matters least, and says so", () => {
  const wide = "漢".repeat(800);
  const steps = Array.from({ length: 500 }, (_, at) => [
    told.step(at + 1, `${at} ${wide}`),
    told.summary(at + 1, wide.repeat(40)),
    told.line(at + 1, wide),
    told.stepEnded(at + 1, wide, at === 3 ? "failure" : "success"),
  ]).flat();
  const outputs = Object.fromEntries(
    Array.from({ length: 100 }, (_, at) => [`${at}${wide}`, wide] as const),
  );

  const check = ended([told.started(), ...steps, told.ended("failure", outputs)], {
    ...{ conclusion: "failure", reason: wide.repeat(40) },
  });

  expect(Buffer.byteLength(check.summary)).toBeLessThanOrEqual(65_535);
  expect(Buffer.byteLength(check.text ?? "")).toBeLessThanOrEqual(65_535);
  expect(Buffer.byteLength(check.title)).toBeLessThan(1_000);
  expect(check.summary).toMatch(/\nLeft out, since a check run has no room for more: the outputs/);
  expect(check.summary).toContain("| ✗ | 4 | 3 ");
  expect(check.summary).toContain("420 more steps");
  expect(check.text).toMatch(/^_Not all of the step summaries fits: \d+ cut short or left out\._/);
});
