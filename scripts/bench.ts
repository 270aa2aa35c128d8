/**
 * Measures what Berth costs beside what the same engine costs without it. Every figure is a median of several rounds, all in one
 * run on one engine: compare ratios, not milliseconds.
 *
 *   npm run bench [-- --rounds 5] [--json FILE]
 *
 * Where a program `act` is on the PATH it runs the same workflows on the same image, which gets a Node on its PATH for that.
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { cpus, homedir } from "node:os";
import { parseArgs } from "node:util";
import { openShell } from "../runner/shell/open-shell.ts";
import { shellArgv } from "../runner/shell/preamble.ts";
import { connectEngine } from "../src/containers/connect-engine.ts";
import { openJobPlace } from "../src/containers/job-place.ts";
import { type Machine, prepareImages } from "../src/hosts/prepare-machine.ts";
import { stateFolder } from "../src/store/state-folder.ts";
import "../test/coming-back/json-imports.ts";
import { measureActions } from "./bench/action-figures.ts";
import { bareAttach, bareJobMs, execMs, idleContainer } from "./bench/bare-engine.ts";
import { createFigures, median, medians } from "./bench/figures.ts";
import { logSeconds, makeRepository, runAct, runBerth, workflowOf } from "./bench/run-workflow.ts";
import { measureScheduler } from "./bench/scheduler-figures.ts";
import { measureSsh } from "./bench/ssh-figures.ts";
import { measureWebhooks } from "./bench/webhook-figures.ts";

// These import the workflow parser, and so have to come after what makes that possible.
const { pipelineSeconds } = await import("./bench/log-pipeline.ts");
const { measureService } = await import("./bench/service-figures.ts");
const { measureServiceMemory } = await import("./bench/service-memory.ts");

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    json: { type: "string", default: "bench-results.json" },
  },
});
const rounds = Number(flags.rounds);

const figures = createFigures();
const { note } = figures;

const { engine, jobImage: image, nodeVolume } = await getMachine();
const { docker } = engine;
const knownUsers = new Map<string, { uid: number; gid: number }>();
const hasAct = isOnPath("act");

const STEPS = 200;
using trivial = makeRepository(workflowOf(Array.from({ length: STEPS }, () => "true")));
using outputs = makeRepository(
  workflowOf(Array.from({ length: 50 }, (_, n) => `echo "value=${n}" >> "$GITHUB_OUTPUT"`)),
);
using twenty = makeRepository(workflowOf(Array.from({ length: 20 }, () => "true")));

await using idle = await idleContainer(docker, image);
await execMs(
  idle.container,
  "echo true > /tmp/step.sh; echo 'echo value=1 >> /tmp/out' > /tmp/output.sh",
);

const exec = await median(rounds * 10, () => execMs(idle.container, "true"));
note("docker exec, round trip", exec, "ms");

const bareStep = await median(rounds, () => perStep("/tmp/step.sh", STEPS));
const bareOutput = await median(rounds, () => perStep("/tmp/output.sh", 50));
note("bash -e of a trivial script, bare, in the container", bareStep, "ms");

const step = await median(rounds, async () => perStepOf((await runBerth(trivial.folder)).steps));
note(`a trivial step (of ${STEPS})`, step, "ms");
note("… overhead over the bare bash", step - bareStep, "ms", 3);
note("… overhead / docker exec", (step - bareStep) / exec, "×", 1 / 15);
const output = await median(rounds, async () => perStepOf((await runBerth(outputs.folder)).steps));
note("a step that sets an output (of 50)", output, "ms");
note("… overhead over the bare bash", output - bareOutput, "ms");

const script =
  "for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do bash -e /tmp/step.sh; done";
const oneScript = await median(rounds, () => execMs(idle.container, script));
const twentySteps = await median(rounds, async () => {
  const { steps } = await runBerth(twenty.folder);
  return (steps.at(-1)?.endMs ?? 0) - (steps[0]?.startMs ?? 0);
});
note("20 steps", twentySteps, "ms");
note("… / one docker exec with 20 starts of bash", twentySteps / oneScript, "×", 1.5);

const [bareJob, ready] = await medians(rounds * 3, [() => bareJobMs(docker, image), jobReadyMs]);
note("the engine calls of a job, bare and side by side", bareJob, "ms");
note("making a job ready", ready, "ms");
note("… / bare", ready / bareJob, "×", 1.3);
note(
  "start of the program to the first step",
  await median(rounds, async () => (await runBerth(twenty.folder)).firstStepMs),
  "ms",
);

const LINES = 1_500_000;
const print = `yes 'a line of a log as they come, sixty-four characters in length..' | head -n ${LINES}`;
using logging = makeRepository(workflowOf([print]));
const bareLog = await median(Math.min(rounds, 3), () => bareAttach(docker, image, print));
const logRounds = Math.min(rounds, 3);
const megabytes = (LINES * 68) / 1e6;
const masked = Object.fromEntries(
  Array.from({ length: 100 }, (_, n) => [`S${n}`, `secret-value-number-${n}-${n * 7919}`]),
);
const pipeline = await median(
  logRounds,
  async () =>
    megabytes / (await pipelineSeconds(engine, image, { script: print, secrets: masked })),
);
note("log, bare attach", bareLog, "MB/s");
note("log through the runner, 100 secrets masked", pipeline, "MB/s");
note("… bare / runner", bareLog / pipeline, "×", 1 / 0.8);
for (const view of ["-v", "--json"]) {
  const args = [
    view,
    ...Object.entries(masked).flatMap(([name, value]) => ["--secret", `${name}=${value}`]),
  ];
  const shown = await median(
    logRounds,
    async () => megabytes / (await logSeconds(logging.folder, args)),
  );
  note(`… and shown by berth run ${view}`, shown, "MB/s");
}

if (hasAct) {
  // Once each: a minute is enough to see the order of magnitude.
  const actFew = await runAct(twenty.folder, image);
  const actStep = ((await runAct(outputs.folder, image)) - actFew) / (50 - 20);
  note("act: a step", actStep, "ms");
  note("act / Berth, per step", actStep / output, "×");
  note("act: 20 steps, whole program", actFew, "ms");
  note(
    "Berth: 20 steps, whole program",
    await median(rounds, async () => (await runBerth(twenty.folder)).totalMs),
    "ms",
  );
}

await measureActions({
  docker,
  image,
  nodeVolume: nodeVolume.name,
  rounds,
  hasAct,
  note,
});

measureScheduler(note);

await measureWebhooks(note);

await measureSsh(note, { rounds, bareStepMs: bareStep });

await measureService(note, { docker, image });
await measureServiceMemory(note);

console.log(figures.table());
writeFileSync(
  flags.json,
  `${JSON.stringify({ machine: `${cpus().length} CPUs`, engine: engine.version, rounds, figures: figures.list }, null, 2)}\n`,
);

/** The engine with what a run needs, made where it is missing. */
async function getMachine(): Promise<Machine> {
  const uid = process.getuid?.() ?? 0;
  const stateDir = stateFolder(process.env, uid);
  const connect = { env: process.env, home: homedir(), uid, stateDir };
  const { signal } = new AbortController();
  return prepareImages(await connectEngine(connect), [], { connect, report: () => {}, signal });
}

async function perStep(file: string, times: number): Promise<number> {
  const loop = `n=0; while [ $n -lt ${times} ]; do n=$((n+1)); bash -e ${file}; done`;
  return (await execMs(idle.container, loop)) / times;
}

function perStepOf(steps: readonly { startMs: number; endMs: number }[]): number {
  return ((steps.at(-1)?.endMs ?? 0) - (steps[0]?.startMs ?? 0)) / steps.length;
}

/** Container, network, volumes and shell of a job, up to its first answer; the removal is not counted. */
async function jobReadyMs(): Promise<number> {
  const jobId = `bench-${randomBytes(4).toString("hex")}`;
  const nonce = randomBytes(8).toString("hex");
  const { signal } = new AbortController();
  const begun = performance.now();
  await using place = await openJobPlace(
    docker,
    { jobId, runId: "bench", repository: "bench", labels: ["ubuntu-latest"] },
    {
      image,
      shellArgv: shellArgv(nonce),
      hostName: "bench",
      knownUsers,
      progress: () => {},
      onLeak: ({ kind, id }) => console.error(`left behind: ${kind} ${id}`),
      signal,
    },
  );
  await using _shell = await openShell(place.backend, { nonce, signal });
  return performance.now() - begun;
}

function isOnPath(program: string): boolean {
  try {
    execFileSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
