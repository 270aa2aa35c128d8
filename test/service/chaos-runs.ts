/** What a person or a failing machine does to a job whose first step has begun. */
export type Blow = "cancel-run" | "cancel-job" | "press-cancel" | "remove-container";

export type ChaosJob = {
  /** As its check has it, after `Berth / `. */
  readonly name: string;
  /** How it may end. */
  readonly conclusions: readonly string[];
  /** How many steps write into `effects`, all of them when it succeeds. */
  readonly steps: number;
  /** What its steps write, in a folder outside: `N begin` and `N end`. Absent of one that never begins. */
  readonly effects?: string;
  readonly blow?: Blow;
};

/** One workflow, pushed to a branch of its own, and what must come of it. */
export type ChaosRun = {
  readonly key: string;
  readonly repository: string;
  readonly workflow: string;
  readonly jobs: readonly ChaosJob[];
};

type Shape = (key: string, random: () => number) => Pick<ChaosRun, "workflow" | "jobs">;

/** Runs of all shapes in turn, until they have that many jobs. */
export function chaosRuns({
  jobs: wanted,
  repositories,
  random,
}: {
  readonly jobs: number;
  readonly repositories: readonly string[];
  readonly random: () => number;
}): ChaosRun[] {
  const runs: ChaosRun[] = [];
  for (let jobs = 0; jobs < wanted; jobs += runs.at(-1)?.jobs.length ?? 0) {
    const shape = SHAPES[runs.length % SHAPES.length] ?? chain;
    const key = `r${runs.length}`;
    const repository = repositories[Math.floor(random() * repositories.length)] ?? "";
    runs.push({ key, repository, ...shape(key, random) });
  }
  return runs;
}

/** `build` hands its output to `deploy`. */
const chain: Shape = (key, random) => ({
  workflow: workflow(`
  build:
    runs-on: [self-hosted, chaos]
    outputs: { word: "\${{ steps.say.outputs.word }}" }
    steps:${effectSteps(`${key}.build`, 2, random)}
      - { id: say, run: 'echo "word=${key}-word" >> "$GITHUB_OUTPUT"' }
  deploy:
    needs: build
    runs-on: [self-hosted, chaos]
    steps:
      - run: test "\${{ needs.build.outputs.word }}" = ${key}-word${effectSteps(`${key}.deploy`, 1, random)}`),
  jobs: [good("build", `${key}.build`, 2), good("deploy", `${key}.deploy`, 1)],
});

/** The second step fails; what needs the job is skipped, what runs always is not. */
const failing: Shape = (key, random) => ({
  workflow: workflow(`
  fail:
    runs-on: [self-hosted, chaos]
    steps:${effectSteps(`${key}.fail`, 1, random)}
      - run: exit 3
      - run: echo "9 begin" >> /effects/${key}.fail
  after:
    needs: fail
    runs-on: [self-hosted, chaos]
    steps: [{ run: "true" }]
  always:
    needs: fail
    if: always()
    runs-on: [self-hosted, chaos]
    steps:
      - run: test "\${{ needs.fail.result }}" = failure${effectSteps(`${key}.always`, 1, random)}`),
  jobs: [
    { name: "fail", conclusions: ["failure"], steps: 1, effects: `${key}.fail` },
    { name: "after", conclusions: ["skipped"], steps: 0 },
    good("always", `${key}.always`, 1),
  ],
});

/** Two legs at a time, of four; the dependent sees that all have ended. */
const matrix: Shape = (key, random) => {
  const legs = [1, 2, 3, 4];
  return {
    workflow: workflow(`
  leg:
    runs-on: [self-hosted, chaos]
    strategy: { max-parallel: 2, matrix: { n: [${legs}] } }
    steps:${effectSteps(`${key}.leg\${{ matrix.n }}`, 1, random)}
  join:
    needs: leg
    runs-on: [self-hosted, chaos]
    steps:
      - run: test "$(cat /effects/${key}.leg? | grep -c end)" = 4${effectSteps(`${key}.join`, 1, random)}`),
    jobs: [
      ...legs.map((n) => good(`leg (${n})`, `${key}.leg${n}`, 1)),
      good("join", `${key}.join`, 1),
    ],
  };
};

/** One leg fails, the others end as they may. */
const failFast: Shape = (key, random) => {
  const legs = [1, 2, 3];
  return {
    workflow: workflow(`
  leg:
    runs-on: [self-hosted, chaos]
    strategy: { max-parallel: 2, matrix: { n: [${legs}] } }
    steps:
      - { if: matrix.n == 2, run: exit 1 }${effectSteps(`${key}.leg\${{ matrix.n }}`, 2, random)}
  after:
    needs: leg
    runs-on: [self-hosted, chaos]
    steps: [{ run: "true" }]`),
    jobs: [
      ...legs.map((n) => ({
        name: `leg (${n})`,
        conclusions: n === 2 ? ["failure"] : ["success", "cancelled"],
        steps: n === 2 ? 0 : 2,
        ...(n !== 2 && { effects: `${key}.leg${n}` }),
      })),
      { name: "after", conclusions: ["skipped"], steps: 0 },
    ],
  };
};

/** A person ends it while its step sleeps. */
const cancelled =
  (blow: Blow): Shape =>
  (key) => ({
    workflow: workflow(`
  sleep:
    runs-on: [self-hosted, chaos]
    steps:
      - run: |
          echo "1 begin" >> /effects/${key}.sleep
          sleep 900
  after:
    needs: sleep
    runs-on: [self-hosted, chaos]
    steps: [{ run: "true" }]`),
    jobs: [
      { name: "sleep", conclusions: ["cancelled"], steps: 1, effects: `${key}.sleep`, blow },
      { name: "after", conclusions: ["skipped", "cancelled"], steps: 0 },
    ],
  });

/** Its container goes, and it runs again. */
const again: Shape = (key) => ({
  workflow: workflow(`
  again:
    runs-on: [self-hosted, again]
    steps:
      - run: |
          echo "1 begin" >> /effects/${key}.again
          sleep 2
          echo "1 end" >> /effects/${key}.again`),
  jobs: [{ ...good("again", `${key}.again`, 1), blow: "remove-container" }],
});

const SHAPES: readonly Shape[] = [
  again,
  cancelled("cancel-run"),
  chain,
  failFast,
  cancelled("press-cancel"),
  failing,
  matrix,
  cancelled("cancel-job"),
  chain,
  matrix,
];

function good(name: string, effects: string, steps: number): ChaosJob {
  return { name, conclusions: ["success"], steps, effects };
}

function workflow(jobs: string): string {
  return `on: push\njobs:${jobs}\n`;
}

function effectSteps(file: string, steps: number, random: () => number): string {
  return Array.from({ length: steps }, (_, index) => {
    const seconds = (0.1 + random() * 1.2).toFixed(1);
    return `
      - run: |
          echo "${index + 1} begin" >> "/effects/${file}"
          sleep ${seconds}
          echo "${index + 1} end" >> "/effects/${file}"`;
  }).join("");
}
