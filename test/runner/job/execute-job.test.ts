import { createHash } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import type { JobDescription } from "../../../runner/job/job-description.ts";
import { aJob, ex, mapping, run, type StepFixture } from "./job-fixture.ts";

describe("a job", () => {
  it("runs its steps in order, and tells of everything", async () => {
    const { result, log, steps, events } = await run(
      aJob([{ run: "echo one" }, { run: "echo two" }]),
    );

    expect(result).toEqual({ conclusion: "success", outputs: {} });
    expect(log).toEqual(["one", "two"]);
    expect(steps).toEqual(["success/success", "success/success"]);
    expect(events[0]).toMatchObject({ type: "job_started", job: "promise" });
    expect(events.at(-1)).toMatchObject({ type: "job_finished", conclusion: "success" });
    expect(
      events.flatMap((event) => (event.type === "step_finished" ? [event.stepName] : [])),
    ).toEqual(["Set up job", "Run echo one", "Run echo two", "Complete job"]);
  });

  it("says in its log who runs it and with which rights", async () => {
    const job = aJob([], { permissions: { contents: "read", "pull-requests": "write" } });
    const { events } = await run(job, { version: "1.2.3" });

    const lines = events.flatMap((event) => (event.type === "log" ? [event.line] : []));
    expect(lines).toEqual([
      "Current runner version: '1.2.3'",
      `Runner name: 'berth-${job.id}'`,
      "Runner group name: 'Default'",
      expect.stringMatching(/^Machine name: '.+'$/),
      "##[group]GITHUB_TOKEN Permissions",
      "Contents: read",
      "PullRequests: write",
      "##[endgroup]",
      "Secret source: Actions",
      "Prepare workflow directory",
      "Prepare all required actions",
      expect.stringContaining("isolates nothing"),
      "Complete job name: promise",
      "Cleaning up orphan processes",
    ]);
  });

  it("has a folder of its own, which is gone afterwards", async () => {
    const { log } = await run(
      aJob([{ run: 'pwd; test -d "$RUNNER_TEMP"; cat "$GITHUB_EVENT_PATH"' }]),
    );

    expect(log).toEqual([
      expect.stringMatching(/\/hello\/hello$/),
      "{",
      '  "greeting": "good day"',
      "}",
    ]);
    const { log: later } = await run(aJob([{ run: `test ! -e ${log[0]}` }]));
    expect(later).toEqual([]);
  });
});

function digestsOf(...contents: string[]): string {
  const hash = createHash("sha256");
  for (const content of contents) hash.update(createHash("sha256").update(content).digest());
  return hash.digest("hex");
}

type Row = [
  promise: string,
  steps: StepFixture[],
  expected: { log?: unknown[]; steps?: string[]; annotations?: unknown[]; conclusion?: string },
  job?: Partial<JobDescription>,
];

const always = { if: "always()" };
const rows: Row[] = [
  [
    "a failing step prints its exit code, and the ones after it are skipped unless they ask",
    [
      { run: "exit 3" },
      { run: "echo never" },
      { if: "failure()", run: "echo failed" },
      { if: "always()", run: "echo always" },
      { if: "cancelled()", run: "echo never" },
    ],
    {
      conclusion: "failure",
      log: ["##[error]Process completed with exit code 3.", "failed", "always"],
      steps: [
        "failure/failure",
        "skipped/skipped",
        "success/success",
        "success/success",
        "skipped/skipped",
      ],
      annotations: ["error: Process completed with exit code 3."],
    },
  ],
  [
    "continue-on-error splits outcome from conclusion",
    [
      { id: "flaky", run: "exit 1", continueOnError: true },
      { run: ex("format('echo {0} {1}', steps.flaky.outcome, steps.flaky.conclusion)") },
    ],
    { conclusion: "success", log: [expect.anything(), "failure success"] },
  ],
  [
    "continue-on-error that cannot be evaluated counts as false",
    [{ run: "exit 1", continueOnError: ex("fromJSON('{')") }],
    {
      conclusion: "failure",
      log: [
        expect.anything(),
        "##[error]The step failed and an error occurred when attempting to determine whether to continue on error.",
        expect.stringContaining("##[error]"),
      ],
    },
  ],
  [
    "a step may be killed, and the log explains the signal",
    [{ run: "kill -KILL $$" }],
    {
      log: [
        "##[error]Process completed with exit code 137.",
        expect.stringMatching(/^##\[notice\]The step was killed \(signal 9/),
      ],
    },
  ],
  [
    "outputs go through the file and the command into the steps context",
    [
      { id: "one", run: 'echo "a=1" >> "$GITHUB_OUTPUT"; echo "::set-output name=b::2"' },
      { run: ex("format('echo {0}{1}', steps.one.outputs.a, steps.ONE.outputs.B)") },
    ],
    { log: [expect.stringContaining("deprecated"), "12"] },
  ],
  [
    "steps without an id stay out of the steps context",
    [
      { id: "__run", run: 'echo a=1 >> "$GITHUB_OUTPUT"' },
      { run: ex("format('echo {0}', toJSON(steps))") },
    ],
    { log: ["{}"] },
  ],
  [
    "env of the step wins over the job's, which wins over the workflow's",
    [
      { run: "echo $A $B $C", env: mapping({ C: ex("format('{0}-step', env.C)") }) },
      { run: "echo $A $B $C" },
    ],
    { log: ["w j c-step", "w j c"] },
    { env: [mapping({ A: "w", B: "w", C: "c" }), mapping({ B: "j" })] },
  ],
  [
    "GITHUB_ENV and GITHUB_PATH reach the following steps",
    [
      { run: 'echo X=1 >> "$GITHUB_ENV"; echo "${X-unset}"; echo /p1 >> "$GITHUB_PATH"' },
      { run: 'echo /p2 >> "$GITHUB_PATH"' },
      { run: 'echo "$X ${PATH%%:/[!p]*}"' },
      { run: ex("format('echo {0}', env.X)"), env: mapping({ X: 2 }) },
    ],
    { log: ["unset", "1 /p2:/p1", "2"] },
  ],
  [
    "a bad command file fails the step, and the others are still read",
    [
      { id: "bad", run: 'echo nonsense >> "$GITHUB_ENV"; echo x=kept >> "$GITHUB_OUTPUT"' },
      { ...always, run: ex("format('echo {0}', steps.bad.outputs.x)") },
    ],
    {
      conclusion: "failure",
      log: [
        "##[error]Unable to process file command 'env' successfully.",
        "##[error]Invalid format 'nonsense'",
        "kept",
      ],
    },
  ],
  [
    "a command that fails does not stop its step, but fails it",
    [{ run: "echo '::set-env name=A::1'; echo went on" }],
    { conclusion: "failure", log: [expect.anything(), expect.anything(), "went on"] },
  ],
  [
    "masks hide secrets and what steps add, in names too",
    [
      {
        name: ex("format('use {0}', secrets.TOKEN)"),
        run: "echo it is s3cret; echo ::add-mask::hidden",
      },
      { run: "echo hidden" },
    ],
    { log: ["it is ***", "***"] },
    { secrets: { TOKEN: " s3cret " } },
  ],
  [
    "a condition that cannot be evaluated fails the step",
    [{ if: "fromJSON('{')", run: "echo never" }],
    {
      conclusion: "failure",
      steps: ["failure/failure"],
      log: [expect.stringMatching(/^##\[error\]/)],
    },
  ],
  [
    "secrets are not to be had in a condition",
    [{ if: "secrets.A == ''", run: "echo never" }],
    { steps: ["failure/failure"], log: [expect.stringContaining("secrets")] },
  ],
  [
    "env that cannot be evaluated fails the step before its condition",
    [{ if: "false", env: mapping({ A: ex("fromJSON('{')") }), run: "echo never" }],
    { steps: ["failure/failure"] },
  ],
  [
    "a missing working directory is an error that names it",
    [{ run: "pwd", workingDirectory: "nowhere" }],
    {
      log: [
        expect.stringMatching(
          /^##\[error\]An error occurred trying to start process 'bash' with working directory '.*\/nowhere'\. No such file or directory$/,
        ),
      ],
    },
  ],
  [
    "a working directory is relative to the workspace",
    [
      { run: 'mkdir -p "$GITHUB_WORKSPACE/a/b"', workingDirectory: "/" },
      { run: "pwd", workingDirectory: "a/b" },
      { run: "pwd" },
    ],
    { log: [expect.stringMatching(/hello\/a\/b$/), expect.stringMatching(/hello\/a$/)] },
    { defaults: { workingDirectory: "a" } },
  ],
  [
    "a missing shell says so in the words people look for",
    [{ run: "x", shell: "no-such-shell {0}" }],
    { log: ["##[error]no-such-shell: command not found"] },
  ],
  [
    "a custom shell needs a place for the script",
    [{ run: "x", shell: "cat" }],
    { log: [expect.stringContaining("##[error]Invalid shell option.")] },
  ],
  [
    "the default shell has no pipefail, bash by name has",
    [{ run: "false | true; echo fine" }, { run: "false | true; echo never", shell: "bash" }],
    { conclusion: "failure", log: ["fine", "##[error]Process completed with exit code 1."] },
  ],
  [
    "defaults choose the shell",
    [{ run: "cat", shell: "" }],
    { log: ["cat"] },
    { defaults: { shell: "cat {0}" } },
  ],
  [
    "a NUL in a variable fails the step and names it",
    [{ run: "echo never", env: mapping({ BAD: "a\0b" }) }],
    { log: [expect.stringContaining('"BAD" contains a NUL')] },
  ],
  [
    "names that no shell can hold reach programs",
    [{ run: "env | grep ^with | sort", env: mapping({ "with-dash": "d", "with.dot": "e" }) }],
    { log: ["with-dash=d", "with.dot=e"] },
  ],
  [
    "hashFiles hashes digests of the files in the workspace",
    [
      { run: "mkdir -p sub; printf one > a.txt; printf two > 'sub/odd\nname.txt'" },
      { run: ex("format('echo {0} {1}', hashFiles('**/*.txt'), hashFiles('none'))") },
    ],
    { log: [digestsOf("one", "two")] },
  ],
  [
    "problem matchers act from the next step on",
    [
      {
        run: `echo '{"problemMatcher":[{"owner":"x","pattern":[{"regexp":"^(.+):(\\\\d+): (.*)$","file":1,"line":2,"message":3}]}]}' > m.json; echo "::add-matcher::m.json"`,
      },
      { run: "echo 'src/a.c:3: oh'; echo '::remove-matcher owner=x::'; echo 'src/a.c:3: fine'" },
      { run: "echo 'src/a.c:4: no more'" },
    ],
    {
      log: [
        "##[error]src/a.c:3: oh",
        expect.stringContaining("src/a.c:3: fine"),
        "src/a.c:4: no more",
      ],
    },
  ],
  [
    "a matcher file that is not there fails its step",
    [{ run: "echo ::add-matcher::nowhere.json" }],
    { conclusion: "failure", log: [expect.anything(), expect.stringContaining("nowhere.json")] },
  ],
  [
    "continue-on-error does not forgive what keeps a step from beginning",
    [
      { if: "fromJSON('{')", run: "echo never", continueOnError: true },
      {
        if: "always()",
        run: "echo on",
        env: mapping({ A: ex("fromJSON('{')") }),
        continueOnError: true,
      },
    ],
    { conclusion: "failure", steps: ["failure/failure", "failure/failure"] },
  ],
  [
    "timeout-minutes that is no number is logged and ignored",
    [{ run: "echo on", timeoutMinutes: ex("'x'") }],
    { conclusion: "success", log: [expect.stringContaining("##[error]"), "on"] },
  ],
  [
    "binary output and long lines do no harm",
    [{ run: "printf 'a\\377b\\n'; head -c 100000 /dev/zero | tr '\\0' x; echo" }],
    { conclusion: "success", log: ["a\ufffdb", "x".repeat(100_000)] },
  ],
  [
    "a step that closes its output still ends",
    [{ run: "exec > /dev/null 2>&1; echo quiet" }, { run: "echo next" }],
    { conclusion: "success", log: ["next"] },
  ],
];

describe("in a job", () => {
  it.each(rows)("%s", async (...[, steps, expected, job]) => {
    const ran = await run(aJob(steps, job));

    if (expected.log) expect(ran.log).toEqual(expected.log);
    if (expected.steps) expect(ran.steps).toEqual(expected.steps);
    if (expected.annotations) expect(ran.annotations).toEqual(expected.annotations);
    if (expected.conclusion) expect(ran.result.conclusion).toBe(expected.conclusion);
  });
});
