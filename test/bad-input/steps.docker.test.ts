import { beforeAll, describe, expect, it } from "@jest/globals";
import { jobImage, makeTestImages } from "../engine.ts";
import type { Ended } from "../src/cli/run-berth.ts";
import { objectsOfRun } from "./objects-of-run.ts";
import { type JobSeen, type JobText, runJobs, runOf, seen } from "./run-jobs.ts";

type Trouble = {
  readonly title: string;
  readonly job: JobText;
  /** Parts of what must be seen of the job. */
  readonly expected: {
    readonly conclusion: "success" | "failure" | "cancelled";
    readonly outcomes?: string[];
    readonly reason?: RegExp;
    readonly log?: (string | RegExp)[];
    readonly annotations?: RegExp[];
  };
};

const always = (run: string) => ({ run, if: "always()" });
const NONCE = "nonce=$(tr '\\0' '\\n' </proc/1/cmdline | tail -n 1);";
/** More than a page, so that it needs new space wherever it is written. */
const LONG = `echo ${"long ".repeat(4000)}`;

const troubles: Trouble[] = [
  {
    title: "binary output",
    job: { steps: ["head -c 300000 /dev/urandom", "echo on"] },
    expected: { conclusion: "success", log: ["on"] },
  },
  {
    title: "a line of 1 MB",
    job: { steps: ["head -c 1000000 /dev/zero | tr '\\0' x; echo; echo on"] },
    expected: { conclusion: "success", log: [/^x{1000000}$/, "on"] },
  },
  {
    title: "NUL in a step's env",
    job: {
      steps: [
        { run: "echo never", env: { A: `\${{ fromJSON('"a\\u0000b"') }}` } },
        always("echo cleaned up"),
      ],
    },
    expected: {
      conclusion: "failure",
      outcomes: ["failure", "success", "success"],
      annotations: [/error: The value of the environment variable "A" contains a NUL character/],
      log: ["cleaned up"],
    },
  },
  {
    title: "NUL in a job's env",
    job: { env: { A: `\${{ fromJSON('"a\\u0000b"') }}` }, steps: ["echo never"] },
    expected: { conclusion: "failure", annotations: [/variable "A" contains a NUL character/] },
  },
  {
    title: "a step that kills the container's first processes",
    job: {
      steps: ["sudo sh -c 'kill -9 $(cat /proc/1/task/1/children)'; sleep 3", always("echo never")],
    },
    expected: {
      conclusion: "failure",
      outcomes: ["failure"],
      reason: /container was killed \(signal 9, SIGKILL\)/,
      annotations: [/error: The container was killed/],
    },
  },
  {
    title: "kill -9 -1",
    job: { steps: ["kill -9 -1; sleep 3"] },
    expected: { conclusion: "failure", reason: /signal 9, SIGKILL/ },
  },
  {
    title: "kill -9 -1 as root",
    job: { steps: ["sudo sh -c 'kill -9 -1'; kill -9 -1; sleep 3"] },
    expected: { conclusion: "failure", reason: /signal 9, SIGKILL/ },
  },
  {
    title: "pkill sh",
    job: {
      steps: [
        'for p in /proc/[0-9]*; do [ "$(cat $p/comm)" != sh ] || kill -9 ${p#/proc/}; done; sleep 3',
      ],
    },
    expected: { conclusion: "failure", reason: /a step must have killed|was killed \(signal 9/ },
  },
  {
    title: "a step that kills the shell it was typed into",
    job: { steps: ["kill -9 $PPID; sleep 3"] },
    expected: { conclusion: "failure", reason: /a step must have killed/ },
  },
  {
    title: "a step that asks the container's first process to end",
    job: { steps: ["sudo sh -c 'kill -15 1'; sleep 5"] },
    expected: { conclusion: "failure", reason: /signal 15, SIGTERM/ },
  },
  {
    title: "a step that closes its stdout",
    job: { steps: ["exec >&- 2>&-; sleep 0.2", "echo on"] },
    expected: { conclusion: "success", log: ["on"] },
  },
  {
    title: "a daemon that keeps stdout open",
    job: { steps: ["(while sleep 0.1; do echo tick; done) & echo begun", "sleep 0.5; echo on"] },
    expected: { conclusion: "success", log: ["begun", "on", /Terminate orphan process: pid/] },
  },
  {
    title: "GITHUB_OUTPUT beyond its limit",
    job: {
      steps: [
        "{ echo 'a<<E'; head -c 20000000 /dev/zero | tr '\\0' x; echo; echo E; } >>$GITHUB_OUTPUT",
        always("echo on"),
      ],
    },
    expected: {
      conclusion: "failure",
      outcomes: ["failure", "success", "success"],
      annotations: [/Unable to process file command 'output'/, /The file has 19531k, of which/],
    },
  },
  {
    title: "frames with a wrong nonce",
    job: { steps: ["printf '\\036abc end 1 0 ok 0\\n\\036\\036begin 3 3\\n'; exit 3"] },
    expected: {
      conclusion: "failure",
      log: ["\x1eabc end 1 0 ok 0"],
      annotations: [/Process completed with exit code 3/],
    },
  },
  {
    title: "an end that a step forges for itself",
    job: {
      steps: [`${NONCE} printf '\\036%s end 2 0 ok 0\\n' $nonce; sleep 0.5; exit 4`, "echo on"],
    },
    expected: { conclusion: "success", log: ["on"] },
  },
  {
    title: "a frame with the right nonce that makes no sense",
    job: { steps: [`${NONCE} printf '\\036%s nonsense\\n' $nonce; sleep 5`] },
    expected: { conclusion: "failure", reason: /malformed message: "nonsense"/ },
  },
  {
    title: "an endless frame with the right nonce",
    job: {
      steps: [
        `${NONCE} printf '\\036%s ' $nonce; tr '\\0' x </dev/zero | head -c 50000000; sleep 5`,
      ],
    },
    expected: { conclusion: "failure", reason: /a message that is longer than 4096 bytes/ },
  },
  {
    title: "a root step that writes to the shell's own channel",
    job: {
      container: "berth-test/debian",
      steps: [
        {
          id: "a",
          run: `${NONCE} { printf 'garbage\\036%s block 2 1\\nxxxx' $nonce; printf garbage; } >>/proc/1/fd/2; echo a=1 >>$GITHUB_OUTPUT`,
        },
        "echo a is ${{ steps.a.outputs.a }}",
      ],
    },
    expected: { conclusion: "success", log: ["a is 1"] },
  },
  {
    title: "rm -rf of RUNNER_TEMP",
    // The folder itself is a mount and stays; all in it goes, the step's own script too.
    job: { steps: ["rm -rf $RUNNER_TEMP || true", "sudo rm -rf $RUNNER_TEMP || true", "echo on"] },
    expected: { conclusion: "success", log: ["on"] },
  },
  {
    title: "rm -rf of the workspace",
    job: {
      steps: ["touch file; sudo rm -rf /__w/*/ || true", 'echo "files: $(ls -A)"; touch again'],
    },
    expected: { conclusion: "success", log: ["files: "] },
  },
  {
    title: "rm -rf of all in /dev/shm and /tmp, in the middle of a step",
    job: {
      steps: [
        {
          id: "a",
          run: "rm -rf /dev/shm/* /dev/shm/.[!.]* /tmp/* /tmp/.[!.]*; echo a=1 >>$GITHUB_OUTPUT",
        },
        `echo a is \${{ steps.a.outputs.a }}; ${LONG}`,
      ],
    },
    expected: { conclusion: "success", log: ["a is 1"] },
  },
  {
    title: "a step that hangs and has removed all in /dev/shm",
    job: {
      "timeout-minutes": 0.05,
      steps: ["rm -rf /dev/shm/.[!.]*; exec sleep 100", always("echo on")],
    },
    expected: {
      conclusion: "cancelled",
      outcomes: ["cancelled", "success", "success"],
      log: ["on"],
    },
  },
  {
    title: "exec sleep beyond the job's timeout",
    job: { "timeout-minutes": 0.05, steps: ["exec sleep 100", always("echo on")] },
    expected: {
      conclusion: "cancelled",
      log: ["on"],
      annotations: [/exceeded the maximum execution time of 0.05 minutes/],
    },
  },
  {
    title: "chmod 000 of the shell's folder",
    job: { steps: ["chmod 000 /dev/shm/.[!.]*", "echo on; echo a=1 >>$GITHUB_OUTPUT"] },
    expected: { conclusion: "success", log: ["on"] },
  },
  {
    title: "chmod 000 of everything of the job's",
    job: { steps: ["sudo chmod 000 $RUNNER_TEMP $GITHUB_WORKSPACE /__w", always("echo never")] },
    expected: {
      conclusion: "failure",
      outcomes: ["success", "failure", "success"],
      log: [/Permission denied/],
      annotations: [/The step's files could not be written, as the lines above say/],
    },
  },
  {
    title: "/dev/shm filled up",
    job: {
      container: { image: "berth-test/debian", options: "--shm-size 1m" },
      steps: [
        "i=0; while echo x >/dev/shm/f$i; do i=$((i+1)); done; true",
        `echo short on`,
        { ...always(LONG), "continue-on-error": true },
        always("rm /dev/shm/f*"),
        always(`echo long on; ${LONG}`),
      ],
    },
    expected: {
      conclusion: "success",
      log: ["short on", "could not be written to /dev/shm.", "long on"].map(
        (text) => new RegExp(text),
      ),
    },
  },
  {
    title: "a full disk under the job's folders",
    job: {
      container: { image: "berth-test/debian", options: "--tmpfs /__w/_temp:size=64k" },
      steps: [
        "head -c 1000000 /dev/zero >$RUNNER_TEMP/fill; df $RUNNER_TEMP",
        always(`${LONG}; echo never`),
        always("rm $RUNNER_TEMP/fill"),
      ],
    },
    expected: { conclusion: "failure", log: [/No space left on device/] },
  },
  {
    title: "a step that removes /bin/sh",
    job: { steps: ["sudo rm -f /bin/sh", "echo on", { run: "echo never", shell: "sh" }] },
    expected: {
      conclusion: "failure",
      outcomes: ["success", "success", "failure", "success"],
      log: ["on"],
      annotations: [/sh: command not found/],
    },
  },
  {
    title: "a step that removes what the shell itself calls",
    job: {
      steps: [
        "sudo rm -f /bin/sh /bin/bash $(command -v setsid env mkdir cat head dd rm)",
        always("echo never"),
      ],
    },
    expected: { conclusion: "failure", annotations: [/command not found|127/] },
  },
];

describe("what a step does", () => {
  let ended: Ended;
  beforeAll(async () => {
    await Promise.all([jobImage(), makeTestImages()]);
    const jobs = troubles.map(({ job }, index): [string, JobText] => [`job-${index}`, job]);

    ended = await runJobs(Object.fromEntries(jobs));
    if (ended.code === 2) throw new Error(ended.stderr);
  }, 240_000);

  it.each(troubles.map((trouble, index) => ({ ...trouble, index })))(
    "is told or does no harm: $title",
    ({ index, expected }) => {
      const job = seen(ended, `job-${index}`);

      expectSeen(job, expected);
    },
  );

  it("leaves nothing, and ends the run as one with failed jobs", async () => {
    expect(ended.code).toBe(1);
    expect(ended.stderr).not.toMatch(/^\s+at /m);
    expect(await objectsOfRun(runOf(ended))).toEqual([]);
  });
});

function expectSeen(job: JobSeen, expected: Trouble["expected"]): void {
  const { conclusion, outcomes = job.outcomes, reason, log = [], annotations = [] } = expected;
  expect(job).toMatchObject({ conclusion, outcomes });
  if (reason) expect(job.reason).toMatch(reason);
  else expect(job.reason).toBeUndefined();
  for (const line of log) {
    expect(job.log).toContainEqual(typeof line === "string" ? line : expect.stringMatching(line));
  }
  for (const text of annotations) {
    expect(job.annotations).toContainEqual(expect.stringMatching(text));
  }
}
