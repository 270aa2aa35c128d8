import { beforeAll, describe, expect, it } from "@jest/globals";
import { jobImage, makeTestImages } from "../engine.ts";
import type { Ended } from "../src/cli/run-berth.ts";
import { type JobText, runJobs, seen } from "./run-jobs.ts";

const SMALL = { image: "berth-test/debian", options: "--memory 64m --memory-swap 64m" };
const EAT = "tail /dev/zero";

const exits: { title: string; job: JobText; code: number; says: RegExp }[] = [
  { code: 125, says: /engine could not run the container/ },
  { code: 126, says: /found but could not be executed/ },
  { code: 127, says: /a program was not found/ },
  { code: 128, says: /an exit code or an argument it cannot use/ },
  { code: 130, says: /interrupted \(signal 2, SIGINT\)/ },
  { code: 137, says: /was killed \(signal 9, SIGKILL\)/ },
  { code: 139, says: /crashed: .* \(signal 11, SIGSEGV\)/ },
  { code: 143, says: /asked to end \(signal 15, SIGTERM\)/ },
].map(({ code, says }) => ({
  title: `the code ${code}`,
  job: { steps: [`exit ${code}`] },
  code,
  says,
}));
exits.push(
  {
    title: "a program that is not there",
    job: { steps: ["no-such-program"] },
    code: 127,
    says: /a program was not found/,
  },
  {
    title: "a step that kills itself",
    job: { steps: ["kill -SEGV $$"] },
    code: 139,
    says: /signal 11/,
  },
  {
    title: "a step that the kernel killed for want of memory",
    job: { container: SMALL, steps: [`exec ${EAT}`] },
    code: 137,
    says: /ran out of memory: .* \(exit code 137\).*--memory/,
  },
  {
    title: "a step whose child was killed for want of memory",
    job: { container: SMALL, steps: [`${EAT} || exit 3`] },
    code: 3,
    says: /ran out of memory: .* \(exit code 3\)/,
  },
  {
    title: "a kill that has nothing to do with what ran out of memory before",
    job: {
      container: SMALL,
      steps: [{ run: EAT, "continue-on-error": true }, "echo between", "kill -KILL $$"],
    },
    code: 137,
    says: /was killed \(signal 9, SIGKILL\)/,
  },
);

describe("the end of a step is explained in the log and in an annotation:", () => {
  let ended: Ended;
  beforeAll(async () => {
    await Promise.all([jobImage(), makeTestImages()]);

    ended = await runJobs(Object.fromEntries(exits.map(({ job }, index) => [`job-${index}`, job])));
  }, 240_000);

  it.each(exits.map((exit, index) => ({ ...exit, index })))("$title", ({ index, code, says }) => {
    const job = seen(ended, `job-${index}`);

    expect(job).toMatchObject({ conclusion: "failure" });
    const explained = expect.stringMatching(says);
    expect(job.annotations.at(-2)).toBe(`error: Process completed with exit code ${code}.`);
    expect(job.annotations.at(-1)).toEqual(explained);
    expect(job.log).toContainEqual(explained);
  });

  it("of a container that ran out of memory as a whole too", async () => {
    const kill = "for p in /proc/[0-9]*; do echo 1000 >$p/oom_score_adj; done; echo -1 >/dev/null";
    const ended = await runJobs({
      a: { container: SMALL, steps: [`${kill}; exec ${EAT}`, { run: "true", if: "always()" }] },
    });

    const { annotations, conclusion } = seen(ended, "a");
    expect(conclusion).toBe("failure");
    expect(annotations).toContainEqual(expect.stringMatching(/ran out of memory/));
  });
});
