import { describe, expect, it } from "@jest/globals";
import { readWorkflow } from "../../../runner/workflow/read-workflow.ts";
import { type Adoption, adoptable } from "../../../src/adoption/adoptable.ts";
import type { RunSnapshot } from "../../../src/adoption/run-facts.ts";
import { whoseJobs } from "../../../src/adoption/whose-jobs.ts";
import { aSnapshot } from "./run-snapshot.ts";

const OURS = "runs-on: berth, steps: [{ run: echo }]";
const HOSTED = "runs-on: ubuntu-latest, steps: [{ run: echo }]";
const isOurs = (labels: readonly string[]) => labels.includes("berth");

function ask(
  jobs: string,
  { mixed = "leave", ...facts }: Partial<RunSnapshot> & { mixed?: "leave" | "run" } = {},
): Promise<Adoption> {
  const workflowText = `on: push\njobs:\n${jobs}`;
  return adoptable({ facts: aSnapshot({ workflowText, ...facts }), isOurs, mixed });
}

const reasonOf = (adoption: Adoption) => (adoption.kind === "no" ? adoption.reason : "yes");
const blockedOf = (adoption: Adoption) =>
  adoption.kind === "yes" ? Object.keys(adoption.blocked) : [];

describe("a run is adopted", () => {
  it.each([
    ["when all jobs are ours", `  a: { ${OURS} }\n  b: { needs: a, ${OURS} }`],
    [
      "with services and a matrix",
      `  a: { services: { db: { image: x } }, strategy: { matrix: { v: [1, 2] } }, ${OURS} }`,
    ],
    ["beside jobs that have nothing to do with ours", `  a: { ${OURS} }\n  b: { ${HOSTED} }`],
    ["when ours only waits for another's end", `  b: { ${HOSTED} }\n  a: { needs: b, ${OURS} }`],
    [
      "when ours asks how others ended, but not for what they put out",
      `  b: { ${HOSTED} }\n  a: { needs: b, if: "always() && contains(needs.*.result, 'x') && needs.b.result", ${OURS} }`,
    ],
    [
      "when ours uses outputs of ours and waits for another",
      `  b: { ${HOSTED} }\n  a: { ${OURS} }\n  c: { needs: [a, b], env: { X: "\${{ needs.a.outputs.x }}" }, ${OURS} }`,
    ],
  ])("%s", async (_, jobs) => {
    expect(await ask(jobs)).toMatchObject({ kind: "yes", warnings: [], blocked: {} });
  });

  it("without its event where nothing reads it", async () => {
    const facts = { payloadMissing: "it has not reached Berth" };

    expect(reasonOf(await ask(`  a: { if: github.event_name == 'push', ${OURS} }`, facts))).toBe(
      "yes",
    );
  });
});

describe("a run is left alone", () => {
  it("when its workflow file is not there at that commit", async () => {
    const facts = aSnapshot();

    const adoption = await adoptable({ facts, isOurs, mixed: "run" });

    expect(reasonOf(adoption)).toMatch(/^There is no \.github\/workflows\/ci\.yml at commit 1{40}/);
  });

  it("when its workflow file is not valid, with the places", async () => {
    expect(reasonOf(await ask("  a: { steps: [{ run: echo }] }"))).toMatch(
      /not valid\. \.github\/workflows\/ci\.yml:3:6: /,
    );
  });

  it("when none of its jobs is ours", async () => {
    expect(reasonOf(await ask(`  a: { ${HOSTED} }`))).toMatch(/^No job of .* is for Berth\.$/);
  });

  it.each([
    ["in a step", `  a: { runs-on: berth, steps: [{ run: "\${{ github.event.number }}" }] }`],
    ["whole", `  a: { runs-on: berth, steps: [{ run: "\${{ toJSON(github) }}" }] }`],
    ["by a name from elsewhere", `  a: { env: { A: "\${{ github[vars.X] }}" }, ${OURS} }`],
    [
      "in a condition of another's job",
      `  b: { if: "github['event'].x", ${HOSTED} }\n  a: { needs: b, ${OURS} }`,
    ],
  ])("when its event is missing and is read: %s", async (_, jobs) => {
    const payloadMissing = "the push event has not reached Berth";

    expect(reasonOf(await ask(jobs, { payloadMissing }))).toMatch(
      /^\.github\/workflows\/ci\.yml:3:\d+: \$\{\{ .* reads the payload .*has not reached Berth\.$/,
    );
  });

  it("when inputs of a dispatch are read and its event is missing", async () => {
    const jobs = `  a: { env: { A: "\${{ inputs.x }}" }, ${OURS} }`;
    const payloadMissing = "gone";

    expect(reasonOf(await ask(jobs, { payloadMissing }))).toBe("yes");
    expect(reasonOf(await ask(jobs, { payloadMissing, event: "workflow_dispatch" }))).toContain(
      "inputs.x",
    );
  });

  it.each([
    ["two jobs", `  a: { name: Test, ${OURS} }\n  b: { name: Test, ${HOSTED} }`, "Test"],
    [
      "two legs",
      `  a: { name: "T \${{ vars.X }}", strategy: { matrix: { v: [1, 2] } }, ${OURS} }`,
      "T ",
    ],
    [
      "a leg and a job",
      `  a: { strategy: { matrix: { v: [1] } }, ${OURS} }\n  b: { name: a (1), ${OURS} }`,
      "a (1)",
    ],
  ])("when names do not tell apart %s", async (_, jobs, name) => {
    expect(reasonOf(await ask(jobs))).toContain(`two jobs are named '${name}'`);
  });

  it("not when two jobs of others share a name", async () => {
    const jobs = `  a: { name: T, ${HOSTED} }\n  b: { name: T, ${HOSTED} }\n  c: { ${OURS} }`;

    expect(reasonOf(await ask(jobs))).toBe("yes");
  });

  it("when it calls a workflow, which `mixed: run` leaves to GitHub unless ours needs it", async () => {
    const call = "  c: { uses: ./.github/workflows/x.yml }";

    expect(reasonOf(await ask(`${call}\n  a: { ${OURS} }`))).toContain(
      "ci.yml:3:14: Job 'c' calls",
    );
    expect(await ask(`${call}\n  a: { ${OURS} }`, { mixed: "run" })).toMatchObject({
      warnings: [expect.stringContaining("Job 'c' calls")],
    });
    expect(reasonOf(await ask(`${call}\n  a: { needs: c, ${OURS} }`, { mixed: "run" }))).toContain(
      "Job 'c' calls",
    );
  });
});

describe("ours and others need each other", () => {
  const cases: [string, string, string, RegExp][] = [
    [
      "outputs of another's job",
      `  h: { ${HOSTED} }\n  a: { needs: h, env: { A: "\${{ needs.h.outputs.x }}" }, ${OURS} }`,
      "a",
      /ci\.yml:4:\d+: job 'a' uses outputs of 'h' in \$\{\{ needs\.h\.outputs\.x \}\}/,
    ],
    [
      "all of needs",
      `  h: { ${HOSTED} }\n  a: { needs: h, runs-on: berth, steps: [{ run: "\${{ toJSON(needs) }}" }] }`,
      "a",
      /uses outputs of 'h'/,
    ],
    [
      "outputs by a filter",
      `  h: { ${HOSTED} }\n  a: { needs: h, if: "contains(needs.*.outputs.x, 'y')", ${OURS} }`,
      "a",
      /uses outputs of 'h'/,
    ],
    [
      "labels from another's outputs",
      `  h: { ${HOSTED} }\n  a: { needs: h, runs-on: "\${{ needs.h.outputs.l }}", steps: [{ run: echo }] }`,
      "a",
      /uses outputs of 'h'/,
    ],
    [
      "another's job that needs ours",
      `  a: { ${OURS} }\n  h: { needs: a, ${HOSTED} }`,
      "h",
      /job 'h' does not run on Berth and needs 'a', which does/,
    ],
    [
      "another's job that needs ours at one remove",
      `  a: { ${OURS} }\n  g: { needs: a, ${OURS} }\n  h: { needs: g, ${HOSTED} }`,
      "h",
      /job 'h' does not run on Berth and needs/,
    ],
    [
      "another's job whose turn depends on what we do not see",
      `  g: { ${HOSTED} }\n  h: { needs: g, if: needs.g.outputs.x, ${HOSTED} }\n  a: { needs: h, ${OURS} }`,
      "a",
      /job 'h' uses outputs of 'g'/,
    ],
    [
      "legs on both sides that need ours",
      `  a: { ${OURS} }\n  m: { needs: a, strategy: { matrix: { on: [berth, ubuntu-latest] } }, runs-on: "\${{ matrix.on }}", steps: [{ run: echo }] }`,
      "m",
      /some legs of job 'm' do not run on Berth/,
    ],
  ];

  it.each(cases)("%s: left alone", async (_, jobs, __, reason) => {
    const own = `${jobs}\n  other: { ${OURS} }`;

    const said = reasonOf(await ask(own));

    expect(said).toMatch(reason);
    expect(said).toContain("mixed: run");
  });

  it.each(cases)("%s: the rest runs with `mixed: run`", async (_, jobs, blocked, reason) => {
    const own = `${jobs}\n  other: { ${OURS} }`;

    const adoption = await ask(own, { mixed: "run" });

    expect(blockedOf(adoption)).toEqual([blocked]);
    expect(adoption).toMatchObject({ warnings: [expect.stringMatching(reason)] });
  });
});

describe("a job with an environment", () => {
  it("that needs one of ours is the only one that does not run", async () => {
    const adoption = await ask(`  a: { ${OURS} }\n  d: { needs: a, environment: prod, ${OURS} }`);

    expect(blockedOf(adoption)).toEqual(["d"]);
    expect(adoption).toMatchObject({ kind: "yes", warnings: [] });
  });

  it.each([
    ["needs nothing", `  d: { environment: prod, ${OURS} }`],
    ["needs another's job", `  h: { ${HOSTED} }\n  d: { needs: h, environment: prod, ${OURS} }`],
    [
      "has none after all",
      `  a: { ${OURS} }\n  d: { needs: a, environment: "\${{ vars.E }}", ${OURS} }`,
    ],
  ])("runs when it %s", async (_, jobs) => {
    expect(await ask(jobs)).toMatchObject({ kind: "yes", blocked: {} });
  });
});

it("says whose each job is, leg by leg", async () => {
  const workflow = readWorkflow({
    file: "ci.yml",
    text: `on: push
jobs:
  a: { ${OURS} }
  h: { ${HOSTED} }
  g: { runs-on: { group: berth }, steps: [{ run: echo }] }
  v: { runs-on: "\${{ vars.WHERE }}", steps: [{ run: echo }] }
  m: { strategy: { matrix: { on: [berth, x] } }, runs-on: "\${{ matrix.on }}", steps: [{ run: echo }] }
  u: { needs: a, strategy: { matrix: "\${{ fromJSON(needs.a.outputs.m) }}" }, runs-on: "\${{ matrix.on }}", steps: [{ run: echo }] }
  s: { needs: a, strategy: { matrix: "\${{ fromJSON(needs.a.outputs.m) }}" }, ${OURS} }
`,
  });

  const jobs = await whoseJobs(workflow, aSnapshot({ vars: { WHERE: "berth" } }), isOurs);

  expect(Object.fromEntries([...jobs].map(([id, { owner }]) => [id, owner]))).toEqual({
    ...{ a: "ours", h: "hosted", g: "hosted", v: "ours" },
    ...{ m: "mixed", u: "unknown", s: "ours" },
  });
  expect(jobs.get("m")?.names).toEqual(["m (berth)", "m (x)"]);
});
