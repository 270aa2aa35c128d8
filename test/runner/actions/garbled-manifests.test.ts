import { expect, it } from "@jest/globals";
import { parseActionReference } from "../../../runner/actions/parse-reference.ts";
import { readManifest } from "../../../runner/actions/read-manifest.ts";
import { BerthError } from "../../../runner/errors.ts";
import { seededRandom } from "../../seeded-random.ts";

const SEED = Number(process.env.SEED ?? 1);
const ROUNDS = 1000;

const GOOD = [
  `name: A
inputs:
  a: &a { default: "\${{ github.token }}", required: true }
  b: *a
runs:
  using: node20
  main: index.js
  pre: pre.js
  pre-if: runner.os == 'Linux'
`,
  `outputs: { o: { value: "\${{ steps.x.outputs.y }}" } }
runs:
  using: composite
  steps:
    - id: x
      run: |
        echo \${{ inputs.a }}
        echo "it's"
      shell: bash
      if: \${{ always() && !cancelled() }}
    - uses: actions/checkout/sub@v4
      with: { a: 1, b: [], c: "\${{ env.X }}" }
      continue-on-error: \${{ matrix.x }}
`,
  `runs:
  using: docker
  image: docker://alpine:3
  args: ["\${{ inputs.a }}", 0x10, 1e3, ~, 'x']
  env: { A: b, ? c : d }
  post-if: failure()
`,
];

/** What YAML and expressions make something of. */
const SCRAPS = [
  ..."{}[]:,-?|>&*!%@`'\"#~ \n\t\r\0\u{FEFF}\u{1F680}",
  ...["${{", "}}", "<<: *a", "&a", "*a", "!!int", "!!binary", "---\n", "...\n", "- ", "null", "'"],
  ...["constructor", "__proto__", "toString", "0x", ".inf", "2026-11-22", "\n  ", "format('{0}'"],
];

function garble(text: string, random: () => number): string {
  const pick = (count: number) => Math.floor(random() * count);
  let garbled = text;
  for (let change = pick(4); change >= 0; change--) {
    const at = pick(garbled.length + 1);
    const scrap = SCRAPS[pick(SCRAPS.length)] ?? "";
    const removed = random() < 0.5 ? pick(8) : 0;
    garbled = garbled.slice(0, at) + (random() < 0.8 ? scrap : "") + garbled.slice(at + removed);
  }
  return random() < 0.05 ? garbled.slice(0, pick(garbled.length)) : garbled;
}

it("a manifest that was garbled is read, or refused with places, never worse", () => {
  const random = seededRandom(SEED);
  let refused = 0;

  for (let round = 0; round < ROUNDS; round++) {
    const text = garble(GOOD[round % GOOD.length] ?? "", random);
    try {
      const { runs } = readManifest(text, "action.yml");
      expect(["node", "composite", "docker"]).toContain(runs.using);
      if (runs.using !== "composite") continue;
      for (const step of runs.steps)
        if (step.kind === "uses") parseActionReference(step.uses, SELF);
    } catch (error) {
      const isClear =
        error instanceof BerthError &&
        error.code === "ACTION_INVALID" &&
        /^action\.yml:[1-9]\d*:[1-9]\d*: \S/.test(error.message) &&
        !/undefined|\[object|is not a function|Cannot read/.test(error.message);
      if (!isClear) throw new Error(`SEED=${SEED} ${JSON.stringify(text)}`, { cause: error });
      refused++;
    }
  }

  expect(refused).toBeGreaterThan(ROUNDS / 4);
  expect(refused).toBeLessThan(ROUNDS);
});

const SELF = { owner: "o", repo: "r", ref: "v1" };
