import { expect, it } from "@jest/globals";
import { executeJob } from "../../../runner/job/execute-job.ts";
import type { JobEvent } from "../../../runner/job/job-event.ts";
import { openShell } from "../../../runner/shell/open-shell.ts";
import type { Checkpoint, Shell } from "../../../runner/shell/shell.ts";
import { aJob, ex, mapping, run } from "./job-fixture.ts";
import { aHome, aJournal, never, runInTwoLives, stable } from "./two-lives.ts";

const job = aJob(
  [
    {
      id: "one",
      run: 'echo "::add-mask::hide-me"; echo a=1 >> "$GITHUB_OUTPUT"; echo E=2 >> "$GITHUB_ENV"',
    },
    { run: "printf x > file.txt; echo '::warning::look'; echo hide-me" },
    {
      id: "two",
      run: 'echo "::set-output name=b::3"; echo /p >> "$GITHUB_PATH"; exit 1',
      continueOnError: true,
    },
    {
      run: ex(
        "format('sleep 0.2; echo {0} {1} $E {2}', steps.one.outputs.a, steps.two.outputs.b, hashFiles('*.txt'))",
      ),
    },
    { if: "failure()", run: "echo never" },
    { run: 'for i in 1 2 3 4 5 6 7 8 9; do echo "line $i"; sleep 0.01; done; exit 4' },
    {
      if: "always()",
      run: 'echo hide-me; ls; echo "${PATH%%:*}"; echo once >> ../ran; cat ../ran',
    },
  ],
  { outputs: mapping({ a: ex("steps.one.outputs.a") }) },
);

it.each([0.2, 0.35, 0.5, 0.65, 0.8, 0.95])(
  "goes on where a process left it that died after %d of what it told",
  async (share) => {
    const whole = (await run(job)).events;

    const { events, result } = await runInTwoLives(job, Math.floor(whole.length * share));

    expect(result).toEqual({ conclusion: "failure", outputs: { a: "1" } });
    expect(events.map(stable)).toEqual(whole.map(stable));
  },
);

it("says nothing and removes nothing when another process has taken the job over", async () => {
  await using home = await aHome();
  const told: JobEvent[] = [];
  const checkpoints: Checkpoint[] = [];
  let isAbandoned = false;
  const next = Promise.withResolvers<Shell>();

  const first = executeJob(
    aJob([{ run: "echo begun; sleep 0.5; echo ended" }, { run: "echo more" }]),
    {
      journal: aJournal([], (checkpoint) => void checkpoints.push(checkpoint)),
      async openPlace(_request, { journal }) {
        const options = { nonce: home.nonce, signal: never, journal };
        const shell = await openShell(home.backend, options);
        const abandon = () => {
          isAbandoned = true;
        };
        return { ...home.placeOf(shell), abandon };
      },
      report(event) {
        told.push(event);
        if (event.type !== "log" || event.line !== "begun") return;
        const journal = aJournal(checkpoints);
        const options = { nonce: home.nonce, signal: never, resume: true, journal };
        next.resolve(openShell(home.backend, options));
      },
    },
    never,
  );

  await expect(first).rejects.toMatchObject({ code: "SHELL_SUPERSEDED" });
  expect(isAbandoned).toBe(true);
  expect(told.filter(({ type }) => type === "job_finished")).toEqual([]);
  await (await next.promise)[Symbol.asyncDispose]();
});
