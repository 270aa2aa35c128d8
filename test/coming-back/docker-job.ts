import type { JobDescription } from "../../runner/job/job-description.ts";
import { busyJob } from "./busy-job.ts";

const STEPS = 4;

/** A job whose steps are containers that print for a while, set outputs, variables and masks, and count on the disk how often each of them ran. */
export function dockerJob(id: string): JobDescription {
  const step = (n: number) => ({
    kind: "uses" as const,
    id: `s${n}`,
    if: "success()",
    uses: "docker://berth-test/busybox",
    env: { map: [["SCRIPT", script(n)]] as const },
    with: {
      map: [
        ["entrypoint", "sh"],
        ["args", '-c "eval \\"$SCRIPT\\""'],
      ] as const,
    },
  });
  return {
    ...busyJob(id, 0),
    steps: Array.from({ length: STEPS }, (_, at) => step(at + 1)),
    outputs: {
      map: Array.from({ length: STEPS }, (_, at) => [
        `o${at + 1}`,
        {
          expr: `format('{0}/{1}', steps.s${at + 1}.outputs.value, steps.s${at + 1}.outputs.spoken)`,
        },
      ]),
    },
  };
}

function script(n: number): string {
  return [
    "set -e",
    `echo ran >> ran-${n}`,
    `test "$PREVIOUS" = ${n === 1 ? '""' : n - 1}`,
    `i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo "step ${n} line $i"; sleep 0.02; done`,
    `echo "PREVIOUS=${n}" >> "$GITHUB_ENV"`,
    `echo "value=${n}-$(wc -l < ran-${n})" >> "$GITHUB_OUTPUT"`,
    `echo "::set-output name=spoken::${n}"`,
    `echo "::add-mask::hidden-${n}-"`,
    `echo "now hidden-${n}- and hidden-${n - 1}-"`,
    `echo "::warning file=a.txt,line=${n}::careful ${n}"`,
  ].join("\n");
}
