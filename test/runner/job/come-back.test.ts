import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "@jest/globals";
import { type ExecuteJobDeps, executeJob, type JobPlace } from "../../../runner/job/execute-job.ts";
import type { JobDescription } from "../../../runner/job/job-description.ts";
import type { JobEvent } from "../../../runner/job/job-event.ts";
import { localBackend } from "../../../runner/shell/local-backend.ts";
import { openShell } from "../../../runner/shell/open-shell.ts";
import type { Checkpoint, Journal, Shell } from "../../../runner/shell/shell.ts";
import { aJob, ex, mapping, run } from "./job-fixture.ts";

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

const never = new AbortController().signal;

/** Runs a job whose first process dies after so many events; what it told after its last checkpoint is forgotten. */
async function runInTwoLives(description: JobDescription, dieAfter: number) {
  await using home = await aHome();
  const told: JobEvent[] = [];
  const checkpoints: Checkpoint[] = [];
  let kept = 0;
  let isDead = false;
  const died = Promise.withResolvers<void>();
  let shellOfFirst: Shell | undefined;
  const firstLife: ExecuteJobDeps = {
    journal: {
      startedAt: Date.now(),
      checkpoints: [],
      async append(checkpoint) {
        if (isDead) return;
        checkpoints.push(checkpoint);
        kept = told.length;
      },
    },
    async openPlace(_request, { journal, placed, progress }) {
      placed({ host: "vm", image: "local" });
      progress("This job runs on this machine itself, which isolates nothing.");
      const shell = await openShell(home.backend, { nonce: home.nonce, signal: never, journal });
      shellOfFirst = shell;
      return home.placeOf(shell);
    },
    report(event) {
      if (isDead) return;
      told.push(event);
      if (told.length >= dieAfter) {
        isDead = true;
        died.resolve();
      }
    },
  };
  const first = executeJob(description, firstLife, never).catch(() => undefined);
  await died.promise;
  await shellOfFirst?.[Symbol.asyncDispose]();
  await first;

  told.length = kept;
  const result = await executeJob(
    description,
    {
      journal: aJournal(checkpoints),
      async openPlace(_request, { journal, placed, progress }) {
        placed({ host: "vm", image: "local" });
        progress("This job runs on this machine itself, which isolates nothing.");
        const options = { nonce: home.nonce, signal: never, journal, resume: true };
        return home.placeOf(await openShell(home.backend, options));
      },
      report: (event) => void told.push(event),
    },
    never,
  );
  return { events: told, result };
}

function aJournal(
  checkpoints: readonly Checkpoint[],
  append: (checkpoint: Checkpoint) => void = () => undefined,
): Journal {
  return { startedAt: Date.now(), checkpoints, append: async (checkpoint) => append(checkpoint) };
}

/** A folder with a shell in it that outlives those who type into it. */
async function aHome() {
  const folder = await mkdtemp(join(tmpdir(), "berth-come-back-"));
  const nonce = randomBytes(8).toString("hex");
  const backend = localBackend({
    nonce,
    cwd: folder,
    env: { PATH: process.env.PATH ?? "", HOME: folder },
  });
  return {
    nonce,
    backend,
    placeOf: (shell: Shell): JobPlace => ({
      shell,
      host: "vm",
      image: "local",
      paths: {
        workspace: join(folder, "w/hello/hello"),
        temp: join(folder, "w/_temp"),
        actions: join(folder, "w/_actions"),
        toolCache: join(folder, "t"),
      },
      [Symbol.asyncDispose]: () => shell[Symbol.asyncDispose](),
    }),
    async [Symbol.asyncDispose]() {
      await backend[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Without what differs from run to run. */
function stable(event: JobEvent) {
  if (event.type === "log") return `${event.step} ${event.line.replaceAll(/\/tmp\/[^/]+/g, "…")}`;
  if (event.type === "job_started") return event.type;
  return "ms" in event ? { ...event, ms: 0 } : event;
}
