import { randomBytes } from "node:crypto";
import type Docker from "dockerode";
import { bareRunMs, bareServiceMs, execMs, idleContainer } from "./bare-engine.ts";
import { BENCH_LABEL, makeBenchImage } from "./bench-image.ts";
import { type Figures, medians } from "./figures.ts";
import {
  actionWorkflow,
  makeActions,
  makeRepository,
  runAct,
  runBerth,
  type Timeline,
  workflowOf,
} from "./run-workflow.ts";

export type ActionOptions = {
  readonly docker: Docker;
  /** The job image. */
  readonly image: string;
  readonly nodeVolume: string;
  readonly rounds: number;
  readonly hasAct: boolean;
  readonly note: Figures["note"];
};

type Bench = ActionOptions & {
  /** The job image, fit for `act` and for services. */
  readonly benchImage: string;
  readonly actions: ReturnType<typeof makeActions>;
};

const MAIN = `const { appendFileSync } = require("node:fs");
appendFileSync(process.env.GITHUB_OUTPUT, \`value=\${process.env.INPUT_WHO}\\n\`);
`;
const JAVASCRIPT_TIMES = 50;
const COMPOSITE_TIMES = 20;
const DOCKER_TIMES = 10;

/** Actions of each kind and a service, each beside what it costs by hand; `act`, where there is one, does the same with its own means. */
export async function measureActions(options: ActionOptions): Promise<void> {
  const { docker, image, nodeVolume } = options;
  await using benchImage = await makeBenchImage(docker, { jobImage: image, nodeVolume });
  using actions = makeActions({
    javascript: {
      "action.yml":
        "name: javascript\ninputs: { who: { default: bench } }\nruns: { using: node24, main: main.js }\n",
      "main.js": MAIN,
    },
    composite: {
      "action.yml":
        'name: composite\nruns:\n  using: composite\n  steps:\n    - { run: "true", shell: bash }\n    - { run: "true", shell: bash }\n',
    },
    docker: {
      "action.yml": "name: docker\nruns: { using: docker, image: Dockerfile }\n",
      Dockerfile: `FROM ${image}\nLABEL ${BENCH_LABEL}=1\nENTRYPOINT ["/bin/true"]\n`,
    },
  });
  const bench = { ...options, benchImage: benchImage.name, actions };
  await measureJavaScript(bench);
  await measureComposite(bench);
  await measureDocker(bench);
  await measureService(bench);
}

async function measureJavaScript(bench: Bench): Promise<void> {
  const { docker, image, nodeVolume, rounds, note } = bench;
  await using idle = await idleContainer(docker, image, { nodeVolume });
  await execMs(idle.container, `cat > /tmp/main.js <<'END'\n${MAIN}END\n`);
  const loop = `n=0; while [ $n -lt ${JAVASCRIPT_TIMES} ]; do n=$((n+1)); INPUT_WHO=bench GITHUB_OUTPUT=/tmp/output /__e/node24/bin/node /tmp/main.js; done`;
  using repository = makeRepository(actionWorkflow("bench/javascript@v1", JAVASCRIPT_TIMES));

  const [bare, own] = await medians(rounds, [
    async () => (await execMs(idle.container, loop)) / JAVASCRIPT_TIMES,
    async () => perStep(await run(repository.folder, bench)),
  ]);
  note("starting an action's Node by hand, in the container", bare, "ms");
  note(`a JavaScript action (of ${JAVASCRIPT_TIMES})`, own, "ms");
  note("… / by hand", own / bare, "×", 1.3);
  await compareWithAct("a JavaScript action", { uses: "bench/javascript@v1", own }, bench);
}

async function measureComposite(bench: Bench): Promise<void> {
  const { rounds, note } = bench;
  using repository = makeRepository(actionWorkflow("bench/composite@v1", COMPOSITE_TIMES));

  const scripts = Array.from({ length: 2 * COMPOSITE_TIMES }, () => "true");
  using plain = makeRepository(workflowOf(scripts));

  const [two, own] = await medians(rounds, [
    async () => 2 * perStep(await runBerth(plain.folder)),
    async () => perStep(await run(repository.folder, bench)),
  ]);
  note(`a composite action of two scripts (of ${COMPOSITE_TIMES})`, own, "ms");
  note("… / two steps with these scripts", own / two, "×", 1.5);
  await compareWithAct("a composite action", { uses: "bench/composite@v1", own }, bench);
}

async function measureDocker(bench: Bench): Promise<void> {
  const { docker, image, rounds, note } = bench;
  using repository = makeRepository(actionWorkflow("bench/docker@v1", DOCKER_TIMES));
  const name = `berth-bench-${randomBytes(4).toString("hex")}`;
  const network = await docker.createNetwork({ Name: name, CheckDuplicate: true });
  try {
    const wish = { image, network: network.id, program: "/bin/true" };
    const [bare, own] = await medians(rounds, [
      () => bareRunMs(docker, wish),
      async () => perStep(await run(repository.folder, bench)),
    ]);
    note("docker run --rm by hand, with volumes and a network", bare, "ms");
    note(`a docker action, its image built before (of ${DOCKER_TIMES})`, own, "ms");
    note("… / by hand", own / bare, "×");
    await compareWithAct("a docker action", { uses: "bench/docker@v1", own }, bench);
  } finally {
    await network.remove();
  }
}

async function measureService(bench: Bench): Promise<void> {
  const { docker, benchImage, rounds, note, hasAct } = bench;
  using without = makeRepository(actionWorkflow("bench/composite@v1", 1));
  using one = makeRepository(actionWorkflow("bench/composite@v1", 1, benchImage));

  const [bare, own] = await medians(rounds, [
    () => bareServiceMs(docker, benchImage),
    async () => (await run(one.folder, bench)).servicesMs,
  ]);
  note("starting a service's container by hand", bare, "ms");
  note("a service until it is ready, without a health check", own, "ms");
  note("… / by hand", own / bare, "×");
  const [longer, shorter] = await medians(rounds, [
    async () => (await run(one.folder, bench)).totalMs,
    async () => (await run(without.folder, bench)).totalMs,
  ]);
  note("a job with one service, whole program", longer, "ms");
  note("… and without one", shorter, "ms");
  if (hasAct)
    note("act: a job with one service, whole program", await act(one.folder, bench), "ms");
}

/** Two lengths of a job, once each: the difference is free of what a job costs as such. */
async function compareWithAct(
  what: string,
  { uses, own }: { readonly uses: string; readonly own: number },
  bench: Bench,
): Promise<void> {
  if (!bench.hasAct) return;
  const [few, many] = [2, 12];
  using short = makeRepository(actionWorkflow(uses, few));
  using long = makeRepository(actionWorkflow(uses, many));
  await act(short.folder, bench); // the first one builds and copies
  const ms = (-(await act(short.folder, bench)) + (await act(long.folder, bench))) / (many - few);
  bench.note(`act: ${what}`, ms, "ms");
  bench.note("act / Berth", ms / own, "×");
}

function run(folder: string, { actions }: Bench): Promise<Timeline> {
  return runBerth(folder, actions.argsFor("--local-action"));
}

function act(folder: string, { actions, benchImage }: Bench): Promise<number> {
  return runAct(folder, benchImage, actions.argsFor("--local-repository"));
}

function perStep({ steps }: Timeline): number {
  return ((steps.at(-1)?.endMs ?? 0) - (steps[0]?.startMs ?? 0)) / steps.length;
}
