import { randomBytes } from "node:crypto";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ActionRepository } from "../../../runner/actions/action-source.ts";
import { type ExecuteJobDeps, executeJob, type JobPlace } from "../../../runner/job/execute-job.ts";
import type { JobDescription } from "../../../runner/job/job-description.ts";
import type { JobEvent } from "../../../runner/job/job-event.ts";
import { localBackend } from "../../../runner/shell/local-backend.ts";
import { openShell } from "../../../runner/shell/open-shell.ts";
import type { Checkpoint, Journal, Shell } from "../../../runner/shell/shell.ts";

export const never = new AbortController().signal;

/**
 * Runs a job whose first process dies after so many events, or at a line; what it told after its last checkpoint is forgotten.
 *
 * @param cancelAt The line at which its user cancels it in the first life.
 * @param later What the second life has instead.
 */
export async function runInTwoLives(
  description: JobDescription,
  dieAfter: number | string,
  deps: Partial<ExecuteJobDeps> = {},
  cancelAt?: string,
  later: Partial<ExecuteJobDeps> = deps,
) {
  const cancel = new AbortController();
  await using home = await aHome();
  const told: JobEvent[] = [];
  const checkpoints: Checkpoint[] = [];
  let kept = 0;
  let isDead = false;
  const died = Promise.withResolvers<void>();
  let shellOfFirst: Shell | undefined;
  const firstLife: ExecuteJobDeps = {
    ...deps,
    journal: {
      startedAt: Date.now(),
      checkpoints: [],
      async append(checkpoint) {
        if (isDead) return;
        checkpoints.push(checkpoint);
        kept = told.length;
      },
    },
    async openPlace(request, { journal, placed, progress }) {
      await home.addActions(request.actions ?? []);
      placed({ host: "vm", image: "local" });
      progress("This job runs on this machine itself, which isolates nothing.");
      const shell = await openShell(home.backend, { nonce: home.nonce, signal: never, journal });
      shellOfFirst = shell;
      return home.placeOf(shell);
    },
    report(event) {
      if (isDead) return;
      told.push(event);
      if (event.type === "log" && event.line === cancelAt) cancel.abort();
      const isItsEnd =
        typeof dieAfter === "number"
          ? told.length >= dieAfter
          : event.type === "log" && event.line === dieAfter;
      if (isItsEnd) {
        isDead = true;
        died.resolve();
      }
    },
  };
  const first = executeJob(description, firstLife, cancel.signal).catch(() => undefined);
  await died.promise;
  await shellOfFirst?.[Symbol.asyncDispose]();
  await first;

  told.length = kept;
  const result = await executeJob(
    description,
    {
      ...later,
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

export function aJournal(
  checkpoints: readonly Checkpoint[],
  append: (checkpoint: Checkpoint) => void = () => undefined,
): Journal {
  return { startedAt: Date.now(), checkpoints, append: async (checkpoint) => append(checkpoint) };
}

/** A folder with a shell in it that outlives those who type into it. */
export async function aHome() {
  const folder = await mkdtemp(join(tmpdir(), "berth-come-back-"));
  const nonce = randomBytes(8).toString("hex");
  const backend = localBackend({
    nonce,
    cwd: folder,
    env: { PATH: process.env.PATH ?? "", HOME: folder },
  });
  const addActions = async (actions: readonly ActionRepository[]) => {
    for (const { owner, repo, ref, folder: source } of actions) {
      await cp(source, join(folder, "w/_actions", owner, repo, ref), { recursive: true });
    }
  };
  return {
    nonce,
    backend,
    addActions,
    placeOf: (shell: Shell): JobPlace => ({
      shell,
      addActions,
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
export function stable(event: JobEvent) {
  const withoutFolder = (text: string) => text.replaceAll(/\/tmp\/[^/]+/g, "…");
  if (event.type === "log") return `${event.step} ${withoutFolder(event.line)}`;
  if (event.type === "annotation") return { ...event, message: withoutFolder(event.message) };
  if (event.type === "job_started") return event.type;
  return "ms" in event ? { ...event, ms: 0 } : event;
}
