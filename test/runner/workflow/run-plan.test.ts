import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "@jest/globals";
import type { JobResult } from "../../../runner/job/execute-job.ts";
import type { JobDescription } from "../../../runner/job/job-description.ts";
import type { JobEvent } from "../../../runner/job/job-event.ts";
import { ConcurrencyGroups } from "../../../runner/workflow/concurrency-groups.ts";
import { readWorkflow } from "../../../runner/workflow/read-workflow.ts";
import { createRunSlots, type RunPlanOptions, runPlan } from "../../../runner/workflow/run-plan.ts";

const RUN = "runs-on: x, steps: [{ run: echo }]";

/** What a job is made to do, by the name it runs under: how it ends, and what it puts out. */
type Script = { readonly [name: string]: JobResult["conclusion"] | Partial<JobResult> | Error };

type Started = {
  readonly job: JobDescription;
  readonly signal: AbortSignal;
  end(result?: Partial<JobResult>): void;
};

/** Runs a workflow's jobs in a machine that only remembers them. */
function machine(script: Script = {}, { holds = false } = {}) {
  const ran: string[] = [];
  const ended: { [name: string]: string } = {};
  const reasons: { [name: string]: string } = {};
  const events: JobEvent[] = [];
  const descriptions = new Map<string, JobDescription>();
  const started = new Map<string, Started>();
  let running = 0;
  let mostAtOnce = 0;

  const runLeg = async (job: JobDescription, signal: AbortSignal): Promise<JobResult> => {
    ran.push(job.name);
    descriptions.set(job.name, job);
    mostAtOnce = Math.max(mostAtOnce, ++running);
    try {
      const given = script[job.name] ?? "success";
      if (given instanceof Error) throw given;
      const held = Promise.withResolvers<Partial<JobResult>>();
      started.set(job.name, { job, signal, end: (result = {}) => held.resolve(result) });
      const cancelled = () => held.resolve({ conclusion: "cancelled" });
      signal.addEventListener("abort", cancelled);
      if (signal.aborted) cancelled();
      if (!holds) void setImmediate().then(() => held.resolve({}));
      const scripted = typeof given === "string" ? { conclusion: given } : given;
      const result = {
        conclusion: "success" as const,
        outputs: {},
        ...scripted,
        ...(await held.promise),
      };
      ended[job.name] = result.conclusion;
      return result;
    } finally {
      running--;
    }
  };
  const report = (event: JobEvent): void => {
    events.push(event);
    if (event.type !== "job_finished") return;
    ended[event.name] = event.conclusion;
    if (event.reason !== undefined) reasons[event.name] = event.reason;
  };
  return {
    ran,
    ended,
    reasons,
    events,
    descriptions,
    started,
    deps: { runLeg, report },
    get mostAtOnce() {
      return mostAtOnce;
    },
    /** Waits until this many jobs have been started. */
    async until(count: number): Promise<void> {
      while (ran.length < count) await setImmediate();
    },
  };
}

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await setImmediate();
}

function run(
  text: string,
  target: ReturnType<typeof machine>,
  more: Partial<RunPlanOptions> = {},
  signal = new AbortController().signal,
) {
  const workflow = readWorkflow({ file: "ci.yml", text });
  const github = { ref: "refs/heads/main", event: { action: "opened" } };
  const facts = { runId: "r1", github, vars: { V: "v" }, inputs: null, secrets: { S: "s" } };
  return runPlan(
    workflow,
    { ...facts, slots: createRunSlots(10), ...target.deps, ...more },
    signal,
  );
}

const jobs = (yaml: string) => `on: push\njobs:\n${yaml.replace(/^/gm, "  ")}`;

describe("a run", () => {
  it("starts each job when all it needs have ended", async () => {
    const target = machine();

    const result = await run(
      jobs(
        `d: { needs: [b, c], ${RUN} }\nb: { needs: a, ${RUN} }\nc: { needs: a, ${RUN} }\na: { ${RUN} }`,
      ),
      target,
    );

    expect(target.ran).toEqual(["a", "b", "c", "d"]);
    expect(result.conclusion).toBe("success");
  });

  it("runs at once what need not wait, as many as there are slots", async () => {
    const target = machine();

    await run(jobs(["a", "b", "c", "d", "e"].map((id) => `${id}: { ${RUN} }`).join("\n")), target, {
      slots: createRunSlots(2),
    });

    expect(target.mostAtOnce).toBe(2);
    expect(target.ran).toEqual(["a", "b", "c", "d", "e"]);
  });

  it("runs a named job with what it needs, and nothing else", async () => {
    const target = machine();

    const result = await run(
      jobs(`a: { ${RUN} }\nb: { needs: a, ${RUN} }\nc: { needs: b, ${RUN} }\nd: { ${RUN} }`),
      target,
      { onlyJobs: ["B"] },
    );

    expect(Object.keys(result.jobs).sort()).toEqual(["a", "b"]);
    await expect(run(jobs(`a: { ${RUN} }`), target, { onlyJobs: ["z"] })).rejects.toMatchObject({
      code: "USAGE",
      message: "There is no job 'z' in ci.yml.",
    });
  });

  it.each<[string, string, Script, string]>([
    ["success when all succeed", `a: { ${RUN} }`, {}, "success"],
    ["success when some are skipped", `a: { ${RUN} }\nb: { if: false, ${RUN} }`, {}, "success"],
    ["skipped when all are", `a: { if: false, ${RUN} }`, {}, "skipped"],
    ["failure when one fails", `a: { ${RUN} }\nb: { ${RUN} }`, { a: "failure" }, "failure"],
    [
      "success when the one that fails may",
      `a: { continue-on-error: true, ${RUN} }`,
      { a: "failure" },
      "success",
    ],
    ["cancelled when one is", `a: { ${RUN} }\nb: { ${RUN} }`, { a: "cancelled" }, "cancelled"],
    [
      "failure when one fails and one is cancelled",
      `a: { ${RUN} }\nb: { ${RUN} }`,
      { a: "cancelled", b: "failure" },
      "failure",
    ],
  ])("is a %s", async (_title, yaml, script, conclusion) => {
    expect((await run(jobs(yaml), machine(script))).conclusion).toBe(conclusion);
  });

  it("ends with the error that kept a job from running, and cancels the others", async () => {
    const target = machine({ a: new Error("engine lost") }, { holds: true });

    await expect(
      run(
        jobs(`b: { if: always(), ${RUN} }\na: { ${RUN} }\nc: { needs: b, if: always(), ${RUN} }`),
        target,
      ),
    ).rejects.toThrow("engine lost");
    expect(target.ended).toMatchObject({ b: "cancelled", c: "skipped" });
  });
});

describe("a job's if", () => {
  it.each<[string, string, Script, { [job: string]: string }]>([
    [
      "false skips it and, by default, what needs it",
      `a: { if: false, ${RUN} }\nb: { needs: a, ${RUN} }`,
      {},
      { a: "skipped", b: "skipped" },
    ],
    [
      "default is skipped after a failure",
      `a: { ${RUN} }\nb: { needs: a, ${RUN} }`,
      { a: "failure" },
      { a: "failure", b: "skipped" },
    ],
    [
      "default is skipped after a cancellation",
      `a: { ${RUN} }\nb: { needs: a, ${RUN} }`,
      { a: "cancelled" },
      { b: "skipped" },
    ],
    [
      "default runs after a failure that may be",
      `a: { continue-on-error: true, ${RUN} }\nb: { needs: a, ${RUN} }`,
      { a: "failure" },
      { b: "success" },
    ],
    [
      "always() runs whatever happened",
      `a: { ${RUN} }\nb: { needs: a, if: always(), ${RUN} }`,
      { a: "failure" },
      { b: "success" },
    ],
    [
      "failure() runs after a failure",
      `a: { ${RUN} }\nb: { needs: a, if: failure(), ${RUN} }`,
      { a: "failure" },
      { b: "success" },
    ],
    [
      "failure() is skipped after success",
      `a: { ${RUN} }\nb: { needs: a, if: failure(), ${RUN} }`,
      {},
      { b: "skipped" },
    ],
    [
      "failure() sees an ancestor's failure",
      `a: { ${RUN} }\nb: { needs: a, ${RUN} }\nc: { needs: b, if: failure(), ${RUN} }`,
      { a: "failure" },
      { b: "skipped", c: "success" },
    ],
    [
      "success() looks at all ancestors: a failed one",
      `a: { ${RUN} }\nb: { needs: a, if: always(), ${RUN} }\nc: { needs: b, ${RUN} }`,
      { a: "failure" },
      { b: "success", c: "skipped" },
    ],
    [
      "success() looks at all ancestors: a skipped one",
      `a: { if: false, ${RUN} }\nb: { needs: a, if: always(), ${RUN} }\nc: { needs: b, ${RUN} }`,
      {},
      { b: "success", c: "skipped" },
    ],
    [
      "!cancelled() with a result looks at that only",
      `a: { ${RUN} }\nb: { needs: a, if: always(), ${RUN} }\nc: { needs: b, if: "!cancelled() && needs.b.result == 'success'", ${RUN} }`,
      { a: "failure" },
      { c: "success" },
    ],
    [
      "success('id') looks at that job only",
      `a: { ${RUN} }\nb: { ${RUN} }\nc: { needs: [a, b], if: "success('B')", ${RUN} }\nd: { needs: [a, b], if: "failure('b')", ${RUN} }`,
      { a: "failure" },
      { c: "success", d: "skipped" },
    ],
    [
      "sees needs, github and vars",
      `a: { ${RUN} }\nb: { needs: a, if: "needs.a.result == 'success' && needs.a.outputs.o == 'x' && github.ref && vars.V == 'v'", ${RUN} }`,
      { a: { outputs: { o: "x" } } },
      { b: "success" },
    ],
    [
      "sees direct needs only",
      `a: { ${RUN} }\nb: { needs: a, ${RUN} }\nc: { needs: b, if: needs.a.result == null, ${RUN} }`,
      {},
      { c: "success" },
    ],
    [
      "that is mixed text is always true",
      `a: { if: "\${{ false }} && false", ${RUN} }`,
      {},
      { a: "success" },
    ],
  ])("%s", async (_title, yaml, script, ended) => {
    const target = machine(script);

    await run(jobs(yaml), target);

    expect(target.ended).toMatchObject(ended);
  });

  it("that cannot be evaluated fails the job with its place", async () => {
    const target = machine();

    const result = await run(
      jobs(
        `a:\n  if: fromJSON('x')\n  runs-on: x\n  steps: [{ run: x }]\nb: { needs: a, if: failure(), ${RUN} }`,
      ),
      target,
    );

    expect(result.conclusion).toBe("failure");
    expect(target.ended).toMatchObject({ a: "failure", b: "success" });
    expect(target.reasons.a).toMatch(/^ci\.yml:4:9: Error parsing fromJson/);
  });

  it("that is false leaves the matrix alone and the name unexpanded", async () => {
    const target = machine();

    await run(
      jobs(
        `a: { name: "T \${{ matrix.v }}", if: false, strategy: { matrix: { v: "\${{ fromJSON('x') }}" } }, ${RUN} }`,
      ),
      target,
    );

    expect(target.events).toEqual([
      {
        type: "job_finished",
        job: "a",
        name: "T ${{ matrix.v }}",
        conclusion: "skipped",
        outputs: {},
        ms: 0,
      },
    ]);
  });
});

describe("a matrix", () => {
  const matrix = (more: string, values = "[1, 2, 3]") =>
    jobs(`m: { strategy: { matrix: { v: ${values} }, ${more} }, ${RUN} }`);

  it("runs a job for each combination, with its contexts, name and id", async () => {
    const target = machine();

    await run(matrix("max-parallel: 2"), target);

    expect(target.ran).toEqual(["m (1)", "m (2)", "m (3)"]);
    expect(target.descriptions.get("m (2)")).toMatchObject({
      id: "r1.m.2",
      runId: "r1",
      job: "m",
      contexts: {
        matrix: { v: 2 },
        strategy: { "fail-fast": true, "job-index": 1, "job-total": 3, "max-parallel": 2 },
      },
    });
  });

  it("runs no more at once than max-parallel says, and holds no slot meanwhile", async () => {
    const target = machine({}, { holds: true });
    const running = run(
      jobs(
        `m: { strategy: { max-parallel: 1, matrix: { v: [1, 2] } }, ${RUN} }\nother: { ${RUN} }`,
      ),
      target,
      { slots: createRunSlots(2) },
    );

    await target.until(2);
    expect(target.ran.toSorted()).toEqual(["m (1)", "other"]);
    target.started.get("m (1)")?.end();
    await target.until(3);
    target.started.get("m (2)")?.end();
    target.started.get("other")?.end();

    expect((await running).conclusion).toBe("success");
  });

  it("comes from what another job put out", async () => {
    const target = machine({ a: { outputs: { m: '{"v": ["x", "y"]}' } } });

    await run(
      jobs(
        `a: { ${RUN} }\nb: { needs: a, strategy: { matrix: "\${{ fromJSON(needs.a.outputs.m) }}" }, ${RUN} }`,
      ),
      target,
    );

    expect(target.ran).toEqual(["a", "b (x)", "b (y)"]);
  });

  it("that comes out empty fails the job", async () => {
    const target = machine();

    await run(matrix("fail-fast: true", "\"${{ fromJSON('[]') }}\""), target);

    expect(target.reasons).toEqual({
      m: "ci.yml:3:3: Job 'm': Matrix vector 'v' does not contain any values",
    });
  });

  it("cancels its other jobs when one fails, running and queued ones", async () => {
    const target = machine({ "m (1)": "failure" }, { holds: true });
    const running = run(matrix("max-parallel: 2"), target);
    await target.until(2);

    target.started.get("m (1)")?.end({ conclusion: "failure" });
    const { conclusion, jobs: outcomes } = await running;

    expect(target.ended).toEqual({
      "m (1)": "failure",
      "m (2)": "cancelled",
      "m (3)": "cancelled",
    });
    expect(target.ran).not.toContain("m (3)");
    expect(target.reasons["m (3)"]).toBe("Another job of the matrix failed, and fail-fast is on.");
    expect([conclusion, outcomes.m?.result]).toEqual(["failure", "failure"]);
  });

  it.each([
    ["fail-fast is off", "fail-fast: false", ""],
    ["fail-fast is off by an expression", 'fail-fast: "${{ github.ref == 1 }}"', ""],
    ["the failing one may fail", "fail-fast: true", ", continue-on-error: true"],
    ["that one may fail", "fail-fast: true", ', continue-on-error: "${{ matrix.v == 1 }}"'],
  ])("goes on when one fails and %s", async (_title, strategy, more) => {
    const target = machine({ "m (1)": "failure" });

    const result = await run(
      jobs(`m: { strategy: { matrix: { v: [1, 2] }, ${strategy} }${more}, ${RUN} }`),
      target,
    );

    expect(target.ended).toEqual({ "m (1)": "failure", "m (2)": "success" });
    expect(result.conclusion).toBe(more === "" ? "failure" : "success");
  });

  it("puts out what its jobs put out, the last to finish winning, empty values not counting", async () => {
    const target = machine({}, { holds: true });
    const running = run(matrix("fail-fast: false"), target);
    await target.until(3);

    target.started.get("m (3)")?.end({ outputs: { o: "3", only3: "x" } });
    await settle();
    target.started.get("m (1)")?.end({ outputs: { o: "1", only3: "" } });
    await settle();
    target.started.get("m (2)")?.end({ outputs: { p: "2" } });

    expect((await running).jobs.m?.outputs).toEqual({ o: "1", only3: "x", p: "2" });
  });

  it("can be narrowed to some of its combinations", async () => {
    const target = machine();

    await run(
      jobs(`m: { strategy: { matrix: { v: [1, 2], os: [a, b] } }, ${RUN} }\nplain: { ${RUN} }`),
      target,
      { matrixFilter: { V: ["2"], os: ["a", "b"] } },
    );

    expect(target.ran.toSorted()).toEqual(["m (2, a)", "m (2, b)", "plain"]);
    expect(target.descriptions.get("m (2, a)")?.contexts.strategy).toMatchObject({
      "job-index": 2,
      "job-total": 4,
    });
  });

  it("says so when it is narrowed to nothing", async () => {
    const target = machine();

    await run(jobs(`m: { strategy: { matrix: { v: [1, 2] } }, ${RUN} }`), target, {
      matrixFilter: { v: ["3"] },
    });

    expect(target.events).toContainEqual(
      expect.objectContaining({
        conclusion: "skipped",
        reason: "No leg of its matrix has the values asked for.",
      }),
    );
  });
});

describe("a job is described", () => {
  it("with all that the planner knows", async () => {
    const target = machine();
    const text = `
on: push
env: { W: 1 }
defaults: { run: { shell: sh, working-directory: w } }
permissions: read-all
jobs:
  a:
    name: \${{ github.event.action }}
    runs-on: [self-hosted, "\${{ vars.V }}"]
    timeout-minutes: \${{ fromJSON('7.5') }}
    permissions: { contents: read }
    env: { J: "\${{ secrets.S }}" }
    defaults: { run: { shell: bash } }
    container: { image: "img:\${{ vars.V }}" }
    environment: prod
    outputs: { o: "\${{ steps.s.outputs.o }}" }
    steps: [{ id: s, run: echo }]
`;

    await run(text, target, { env: { CLI: "${{ not evaluated }}" } });

    expect(target.descriptions.get("opened")).toMatchObject({
      id: "r1.a",
      job: "a",
      name: "opened",
      labels: ["self-hosted", "v"],
      contexts: {
        github: { ref: "refs/heads/main" },
        needs: {},
        matrix: null,
        inputs: null,
        vars: { V: "v" },
        strategy: { "fail-fast": true, "job-index": 0, "job-total": 1, "max-parallel": 1 },
      },
      secrets: { S: "s" },
      env: [
        { map: [["CLI", "${{ not evaluated }}"]] },
        { map: [["W", "1"]] },
        { map: [["J", { expr: "secrets.S" }]] },
      ],
      defaults: { shell: "bash", workingDirectory: "w" },
      container: { map: [["image", { expr: "format('img:{0}', vars.V)" }]] },
      environment: "prod",
      outputs: { map: [["o", { expr: "steps.s.outputs.o" }]] },
      steps: [{ id: "s", run: "echo" }],
      timeoutMinutes: 7.5,
      permissions: { contents: "read", metadata: "read" },
      workflowFile: "ci.yml",
    });
    expect(JSON.parse(JSON.stringify(target.descriptions.get("opened")))).toEqual(
      target.descriptions.get("opened"),
    );
  });

  it.each([
    ["a text", "x", ["x"]],
    ["a list", "[x, y]", ["x", "y"]],
    ["a group", "{ group: g }", []],
    ["a group with labels", "{ group: g, labels: [x, y] }", ["x", "y"]],
    ["an expression that yields a list", '"${{ fromJSON(\'[\\"x\\", \\"y\\"]\') }}"', ["x", "y"]],
  ])("with the labels of %s", async (_title, runsOn, labels) => {
    const target = machine();

    await run(jobs(`a: { runs-on: ${runsOn}, steps: [{ run: x }] }`), target);

    expect(target.descriptions.get("a")?.labels).toEqual(labels);
  });

  it("with 360 minutes unless it says otherwise", async () => {
    const target = machine();

    await run(jobs(`a: { ${RUN} }`), target);

    expect(target.descriptions.get("a")?.timeoutMinutes).toBe(360);
  });

  it.each([
    [
      "runs-on names no label",
      'runs-on: "${{ vars.NONE }}", steps: [{ run: x }]',
      "runs-on names no label",
    ],
    [
      "timeout-minutes is no number",
      `timeout-minutes: "\${{ vars.V }}", ${RUN}`,
      "timeout-minutes must be a positive number, not 'v'",
    ],
    [
      "max-parallel is 0",
      `strategy: { max-parallel: 0 }, ${RUN}`,
      "max-parallel must be a number from 1, not '0'",
    ],
    [
      "the concurrency group comes out empty",
      `concurrency: "\${{ vars.NONE }}", ${RUN}`,
      "the concurrency group is empty",
    ],
  ])("not when %s: it fails", async (_title, yaml, reason) => {
    const target = machine();

    await run(jobs(`a: { ${yaml} }`), target);

    expect(target.ended).toEqual({ a: "failure" });
    expect(target.reasons.a).toContain(reason);
  });
});

describe("outputs", () => {
  it("of more than 1 MiB a job, counted in UTF-16, fail it", async () => {
    const target = machine({ a: { outputs: { o: "x".repeat(512 * 1024) } } });

    const result = await run(jobs(`a: { ${RUN} }\nb: { needs: a, ${RUN} }`), target);

    expect(result.jobs.a).toEqual({ result: "failure", outputs: {} });
    expect(target.ended).toMatchObject({ b: "skipped" });
    expect(target.events).toContainEqual(
      expect.objectContaining({
        type: "annotation",
        message: "The outputs of job 'a' are larger than the limit of 1 MiB a job.",
      }),
    );
  });

  it("of more than 50 MiB a run fail the job that goes beyond", async () => {
    const outputs = { o: "x".repeat(500 * 1024) };
    const ids = [...Array(52).keys()].map((i) => `j${i}`);
    const target = machine(Object.fromEntries(ids.map((id) => [id, { outputs }])));

    const result = await run(jobs(ids.map((id) => `${id}: { ${RUN} }`).join("\n")), target, {
      slots: createRunSlots(1),
    });

    expect(result.jobs.j0?.result).toBe("success");
    expect(result.jobs.j51?.result).toBe("failure");
  });
});

describe("a cancelled run", () => {
  it("stops running jobs, drops queued ones, and skips those that wait for them", async () => {
    const target = machine({}, { holds: true });
    const cancel = new AbortController();
    const running = run(
      jobs(`a: { ${RUN} }\nb: { ${RUN} }\nc: { needs: a, ${RUN} }`),
      target,
      { slots: createRunSlots(1) },
      cancel.signal,
    );
    await target.until(1);

    cancel.abort();
    const result = await running;

    expect(target.ran).toEqual(["a"]);
    expect(target.ended).toEqual({ a: "cancelled", b: "cancelled", c: "skipped" });
    expect(target.reasons.b).toBe("The run was cancelled.");
    expect(result.conclusion).toBe("cancelled");
  });

  it("lets jobs whose if still holds go on, and starts those that only then hold", async () => {
    const target = machine({}, { holds: true });
    const cancel = new AbortController();
    const running = run(
      jobs(
        `a: { ${RUN} }\nkept: { if: always(), ${RUN} }\nafter: { needs: a, if: cancelled(), ${RUN} }\nnot: { needs: a, if: "!cancelled()", ${RUN} }`,
      ),
      target,
      {},
      cancel.signal,
    );
    await target.until(2);

    cancel.abort();
    await target.until(3);
    expect(target.started.get("kept")?.signal.aborted).toBe(false);
    target.started.get("kept")?.end();
    target.started.get("after")?.end();

    expect((await running).conclusion).toBe("cancelled");
    expect(target.ended).toEqual({
      a: "cancelled",
      kept: "success",
      after: "success",
      not: "skipped",
    });
  });
});

describe("a run that an earlier life began", () => {
  const text = jobs(
    `build: { outputs: { o: "x" }, ${RUN} }\nleg: { needs: build, strategy: { max-parallel: 1, matrix: { n: [1, 2, 3] } }, ${RUN} }\nafter: { needs: leg, ${RUN} }`,
  );
  const begun = new Map(["r1.build", "r1.leg.1", "r1.leg.2"].map((id) => [id, {}]));

  it("and that was cancelled since gives back to runLeg what had begun, and starts nothing more", async () => {
    const target = machine({ build: { conclusion: "success", outputs: { o: "x" } } });
    const cancelled = AbortSignal.abort();

    const result = await run(text, target, { begun }, cancelled);

    expect(target.ran.toSorted()).toEqual(["build", "leg (1)", "leg (2)"]);
    expect(target.started.get("leg (1)")?.signal.aborted).toBe(true);
    expect(target.descriptions.get("leg (1)")?.contexts.needs).toEqual({
      build: { result: "cancelled", outputs: { o: "x" } },
    });
    expect(target.ended).toMatchObject({ "leg (3)": "cancelled", after: "skipped" });
    expect(result.conclusion).toBe("cancelled");
  });

  it("gives back a leg that fail-fast cancels before its turn comes", async () => {
    const target = machine({ "leg (1)": "failure" });

    await run(text, target, { begun });

    expect(target.ran).toEqual(["build", "leg (1)", "leg (2)"]);
    expect(target.ended).toMatchObject({ "leg (2)": "cancelled", "leg (3)": "cancelled" });
  });

  it("hears of ended legs in the order in which they ended, past what others hold", async () => {
    const target = machine({
      "leg (1)": { outputs: { who: "the last" } },
      "leg (2)": { outputs: { who: "the first" } },
    });
    const group = "concurrency: { group: G, cancel-in-progress: true }";
    const legs = jobs(
      `leg: { strategy: { max-parallel: 1, matrix: { n: [1, 2] } }, ${group}, ${RUN} }\nafter: { needs: leg, ${RUN} }`,
    );
    const slots = createRunSlots(9);
    const wish = { group: "g", cancelInProgress: false, queue: "single" } as const;
    using other = await slots.groups.enter(wish, new AbortController().signal);
    const ended = new Map([
      ["r1.leg.1", { endedAtMs: 2 }],
      ["r1.leg.2", { endedAtMs: 1 }],
    ]);

    await run(legs, target, { begun: ended, slots });

    expect(target.descriptions.get("after")?.contexts.needs).toMatchObject({
      leg: { outputs: { who: "the last" } },
    });
    expect(other?.cancelled.aborted).toBe(false);
  });

  it("gives a leg its concurrency group back before newcomers, even one that is cancelled by now", async () => {
    const opened = Promise.withResolvers<void>();
    const slots = { ...createRunSlots(9), groups: new ConcurrencyGroups(opened.promise) };
    const text = jobs(`a: { concurrency: G, ${RUN} }`);
    const [newcomer, back] = [machine(), machine({}, { holds: true })];
    const second = run(text, newcomer, { slots, runId: "r2" });
    const first = run(text, back, { slots, begun: new Map([["r1.a", {}]]) });
    await back.until(1);
    opened.resolve();
    await settle();

    expect(newcomer.ran).toEqual([]);
    back.started.get("a")?.end();
    await Promise.all([first, second]);

    expect([...back.ran, ...newcomer.ran]).toEqual(["a", "a"]);
  });
});

describe("a concurrency group", () => {
  const member = (id: string, more = "") => `${id}: { concurrency: { group: G${more} }, ${RUN} }`;

  it("runs one job at a time; a newcomer takes the place of the one that waits", async () => {
    const target = machine({}, { holds: true });
    const running = run(
      jobs([member("a"), member("b"), member("c").replace("G", "g")].join("\n")),
      target,
    );
    await target.until(1);
    await settle();
    target.started.get("a")?.end();
    await target.until(2);
    target.started.get("c")?.end();

    await running;

    expect(target.ran).toEqual(["a", "c"]);
    expect(target.ended).toEqual({ a: "success", b: "cancelled", c: "success" });
    expect(target.reasons.b).toBe("A newer job waits for the concurrency group 'G'.");
  });

  it("with cancel-in-progress cancels the one that runs", async () => {
    const target = machine({}, { holds: true });
    const running = run(
      jobs(`${member("a")}\n${member("b", ", cancel-in-progress: true")}`),
      target,
    );
    await target.until(2);
    target.started.get("b")?.end();

    await running;

    expect(target.ended).toEqual({ a: "cancelled", b: "success" });
  });

  it("with queue: max lets all wait, in order", async () => {
    const target = machine();

    await run(jobs(["a", "b", "c"].map((id) => member(id, ", queue: max")).join("\n")), target);

    expect(target.ran).toEqual(["a", "b", "c"]);
    expect(target.mostAtOnce).toBe(1);
  });

  it("of the whole workflow makes runs wait for each other", async () => {
    const slots = createRunSlots(10);
    const text = `on: push\nconcurrency: ci-\${{ github.ref }}\njobs: { a: { ${RUN} } }`;
    const [first, second, third] = [machine({}, { holds: true }), machine(), machine()];
    const running = run(text, first, { slots });
    await first.until(1);
    const waiting = run(text, second, { slots });
    await settle();
    const last = run(text, third, { slots });
    await settle();
    first.started.get("a")?.end();

    expect((await running).conclusion).toBe("success");
    expect((await waiting).conclusion).toBe("cancelled");
    expect((await last).conclusion).toBe("success");
    expect(second.reasons.a).toBe(
      "A newer run waits for the concurrency group 'ci-refs/heads/main'.",
    );
  });

  it("of the whole workflow is not waited for by a run that is cancelled", async () => {
    const slots = createRunSlots(10);
    const cancel = new AbortController();
    const text = `on: push\nconcurrency: ci\njobs: { a: { ${RUN} } }`;
    const [first, second] = [machine({}, { holds: true }), machine()];
    const running = run(text, first, { slots });
    await first.until(1);
    const waiting = run(text, second, { slots }, cancel.signal);
    await settle();

    cancel.abort();
    expect((await waiting).conclusion).toBe("cancelled");
    first.started.get("a")?.end();
    expect((await running).conclusion).toBe("success");
    expect([second.ran, second.reasons]).toEqual([[], { a: "The run was cancelled." }]);
  });

  it("of the whole workflow with cancel-in-progress cancels the run before", async () => {
    const slots = createRunSlots(10);
    const text = `on: push\nconcurrency: { group: ci, cancel-in-progress: true }\njobs: { a: { ${RUN} } }`;
    const [first, second] = [machine({}, { holds: true }), machine()];
    const running = run(text, first, { slots });
    await first.until(1);

    expect((await run(text, second, { slots })).conclusion).toBe("success");
    expect((await running).conclusion).toBe("cancelled");
  });

  it("that the workflow itself holds cannot be had by its jobs", async () => {
    const target = machine();

    await run(`on: push\nconcurrency: ci\njobs: { a: { concurrency: CI, ${RUN} } }`, target);

    expect(target.ended).toEqual({ a: "cancelled" });
  });
});
