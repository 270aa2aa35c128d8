import { COMMAND_FILES } from "../commands/file-commands.ts";
import { BerthError } from "../errors.ts";
import type { Json } from "../expressions/template.ts";
import { explainExit } from "../job/explain-exit.ts";
import { isEndOfJob, messageOf } from "../job/job-end.ts";
import { type RunningJob, runCommand } from "../job/running-job.ts";
import type { Siblings } from "../job/siblings.ts";
import type { CommandResult } from "../shell/shell.ts";
import { commandFiles } from "./command-files.ts";
import { dockerEnvironment, pathInJob } from "./docker-environment.ts";
import { listenToProcess, type ProcessListener } from "./listen-to-process.ts";
import type { RunningAction } from "./running-step.ts";

/** One stage of a docker action, ready to run. */
export type DockerAction = {
  /** For the step's header, what stands after `Run `. */
  readonly title: string;
  /** A name the engine has. */
  readonly image: string;
  /** One word; the image's own when left out. */
  readonly entrypoint?: string;
  readonly args: readonly string[];
  /** `runs.env`, evaluated: defaults for what the step's environment lacks. */
  readonly env: { readonly [name: string]: string };
};

/** How the container ended, or why there was none; kept with the command that fetches what it left. */
type StepEnd = { readonly exitCode: number; readonly oomKilled: boolean } | { problem: string };

/**
 * Runs a docker action's container to its end. True when it succeeded; what went wrong is in the step's log. The container runs outside the
 * job's shell: a command before it makes its command files, one after it fetches them and keeps how it ended. A later life of the job that
 * finds the latter's result does not look for the container; one that does not comes back to it.
 *
 * @throws {BerthError} `ENGINE_NOT_FOUND` in a place without an engine.
 */
export async function runDockerAction(action: DockerAction, self: RunningAction): Promise<boolean> {
  const { running, log, stop, token } = self;
  const { siblings, shell } = running.place;
  if (siblings === undefined) throw noEngine(action);
  const env = dockerEnvironment(action.env, self);
  log.write(commandLine(action));
  const listener = listenToProcess(self, pathInJob(running.place));

  await makeCommandFiles(listener, running);
  const end = shell.replaying
    ? undefined
    : await unlessLost(running, stop.signal, (signals) =>
        runContainer(siblings, { ...action, env }, { key: token, listener, ...signals }),
      );
  const { files, notes } = await fetchCommandFiles(listener, self, () => ({
    heard: listener.notes(),
    end: end ?? null,
  }));
  if (!shell.replaying) await siblings.removeContainer(token);

  const kept = notes as { readonly heard: Json; readonly end: StepEnd };
  listener.settle(kept.heard);
  const isWell = stop.reason !== undefined || reportEnd(kept.end, self);
  const hasObeyed = await listener.finish(files);
  return isWell && hasObeyed;
}

function noEngine({ title }: DockerAction): BerthError {
  return new BerthError("ENGINE_NOT_FOUND", {
    message: `The docker action ${title} needs a container engine, and this job runs on this machine itself, without one.`,
    remedy: "Run it with --backend docker, or skip the step with an `if:`.",
  });
}

/** For the reader of the log: what one would type to run it by hand. */
function commandLine({ image, entrypoint, args }: DockerAction): string {
  const words = [
    ...(entrypoint ? ["--entrypoint", entrypoint] : []),
    ...["--workdir", "/github/workspace", image],
    ...args,
  ];
  return `##[command]docker run ${words.map(quoted).join(" ")}`;
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word);
}

/** The image's user may be anyone: the files are there before the container is, and everybody may write to them. */
async function makeCommandFiles({ files }: ProcessListener, running: RunningJob): Promise<void> {
  const printed: Buffer[] = [];
  const { started, exitCode } = await runCommand(
    running,
    {
      argv: ["sh", "-c", ":"],
      cwd: "/",
      env: {},
      write: COMMAND_FILES.map((name) => ({ path: files[name], content: "", mode: 0o666 })),
    },
    { onOutput: (chunk) => void printed.push(chunk) },
  );
  if (started && exitCode === 0) return;
  const said = Buffer.concat(printed).toString().trim();
  throw new Error(`The command files of the docker action could not be made. ${said}`);
}

/** Aborted when the container has to stop, or to be killed; no more once the job has lost its shell, perhaps to a later life. */
type StopSignals = { readonly signal: AbortSignal; readonly kill: AbortSignal };

/**
 * Works outside the shell as long as there is a shell. When it is lost the work is left alone: the container goes with the job's place,
 * or belongs to the process that has the job now.
 */
async function unlessLost<T>(
  { place, cancellation }: RunningJob,
  stop: AbortSignal,
  work: (signals: StopSignals) => Promise<T>,
): Promise<T> {
  const { lost } = place.shell;
  const signal = new AbortController();
  const kill = new AbortController();
  const { promise: gone, reject } = Promise.withResolvers<never>();
  using listening = new DisposableStack();
  const on = (source: AbortSignal, react: () => void) => {
    source.addEventListener("abort", react, { once: true });
    listening.defer(() => source.removeEventListener("abort", react));
    if (source.aborted) react();
  };
  on(lost, () => reject(lost.reason));
  on(stop, () => signal.abort(stop.reason));
  on(cancellation.tornDown, () => kill.abort());
  const working = work({ signal: signal.signal, kill: kill.signal });
  working.catch(() => undefined);
  return await Promise.race([working, gone]);
}

async function runContainer(
  siblings: Siblings,
  spec: DockerAction,
  options: StopSignals & { readonly key: string; readonly listener: ProcessListener },
): Promise<StepEnd> {
  const { key, listener, signal, kill } = options;
  try {
    const { onOutput } = listener;
    return await siblings.runContainer(spec, { key, onOutput, signal, kill });
  } catch (error) {
    if (isEndOfJob(error)) throw error;
    return { problem: messageOf(error) };
  }
}

/**
 * Copies what the container left in its command files to where the shell hands it back from. What is no plain file any more is left out: a pipe
 * would never end.
 */
async function fetchCommandFiles(
  listener: ProcessListener,
  { running, token }: RunningAction,
  notes: () => Json,
): Promise<{ readonly files: CommandResult["files"]; readonly notes: Json | undefined }> {
  const copies = commandFiles(running.place.paths.temp, `${token}_copy`);
  const pairs = COMMAND_FILES.flatMap((name) => [listener.files[name], copies[name]]);
  const limits = new Map(listener.collect.map(({ path, limitBytes }) => [path, limitBytes]));
  const { files, notes: kept } = await runCommand(
    running,
    {
      argv: ["sh", "-c", FETCH, "sh", ...pairs],
      cwd: "/",
      env: {},
      collect: COMMAND_FILES.map((name) => ({
        path: copies[name],
        limitBytes: limits.get(listener.files[name]) ?? 0,
      })),
    },
    { onOutput: listener.onOutput, notes },
  );
  const found = COMMAND_FILES.flatMap((name) => {
    const file = files[copies[name]];
    return file === undefined ? [] : [[listener.files[name], file] as const];
  });
  return { files: Object.fromEntries(found), notes: kept };
}

const FETCH =
  'while [ $# -gt 0 ]; do if [ -f "$1" ]; then cat "$1" > "$2"; fi; rm -rf "$1"; shift 2; done';

/** Says in the log how the container ended, if GitHub's users would otherwise have to guess. True when it ended well. */
function reportEnd(end: StepEnd, { log, blame }: RunningAction): boolean {
  if ("problem" in end) {
    log.annotate({ level: "error", message: end.problem });
    return false;
  }
  if (end.exitCode === 0) return true;
  if (end.oomKilled) blame("out-of-memory");
  const explanation = explainExit({ of: "container", ...end });
  if (explanation) {
    log.annotate({ level: "notice", message: `${explanation.sentence} ${explanation.remedy}` });
  }
  return false;
}
