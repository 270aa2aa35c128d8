import type { JobDescription } from "../../runner/job/job-description.ts";

const STEPS = 20;

/**
 * A job whose steps print much and quickly, set outputs, variables and masks, and count on the disk how often each of them ran.
 */
export function busyJob(id: string, blockLines: number): JobDescription {
  const step = (n: number) => ({
    kind: "run" as const,
    id: `s${n}`,
    if: "success()",
    run: [
      `echo ran >> ran-${n}`,
      `test "$PREVIOUS" = ${n === 1 ? '""' : n - 1}`,
      `i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo "step ${n} line $i of what a busy step prints"; done`,
      ...(n % 5 === 0 ? [`yes "block ${n}" | head -n ${blockLines}`] : []),
      `echo "PREVIOUS=${n}" >> "$GITHUB_ENV"`,
      `echo "value=${n}-$(wc -l < ran-${n})" >> "$GITHUB_OUTPUT"`,
      `echo "::set-output name=spoken::${n}"`,
      `echo "::add-mask::hidden-${n}-"`,
      `echo "now hidden-${n}- and hidden-${n - 1}-"`,
      `echo "::warning file=a.txt,line=${n}::careful ${n}"`,
    ].join("\n"),
  });
  const outputs = Array.from({ length: STEPS }, (_, at) => at + 1).map(
    (n) =>
      [
        `o${n}`,
        { expr: `format('{0}/{1}', steps.s${n}.outputs.value, steps.s${n}.outputs.spoken)` },
      ] as const,
  );
  return {
    id,
    runId: `run-${id}`,
    job: "busy",
    name: "busy",
    labels: ["ubuntu-latest"],
    contexts: {
      github: { repository: "local/busy", event: {}, workspace: "" },
      needs: {},
      strategy: {},
      matrix: null,
      inputs: null,
      vars: {},
    },
    secrets: {},
    env: [],
    defaults: {},
    steps: Array.from({ length: STEPS }, (_, at) => step(at + 1)),
    outputs: { map: outputs },
    timeoutMinutes: 10,
    workflowFile: ".github/workflows/busy.yml",
  };
}
