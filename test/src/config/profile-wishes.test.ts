import { expect, it } from "@jest/globals";
import { profileWishes } from "../../../src/config/profile-wishes.ts";
import { matchLabels } from "../../../src/profiles/match-labels.ts";
import { GITHUB, goodConfig } from "./config-folder.ts";

const GIB = 1024 ** 3;

function needOf(profile: string, ...labels: string[]) {
  const { config } = goodConfig(`${GITHUB}profiles:\n  Train: ${profile}\n`);
  return matchLabels(["train", ...labels], profileWishes(config.profiles));
}

it("makes a label of a profile's name, in any case", () => {
  expect(needOf("{}")).toEqual({
    kind: "need",
    need: { profile: "train", gpus: 0, rootless: false, dind: false },
  });
});

it("asks for all that the profile needs", () => {
  const gpu = '{ count: 2, model: A100, memory: 40g, cuda: "12" }';

  expect(
    needOf(
      `{ needs: { gpu: ${gpu}, cpus: 8, memory: 64g, arch: x64, rootless: true, dind: true, host: here } }`,
    ),
  ).toEqual({
    kind: "need",
    need: {
      profile: "train",
      gpus: 2,
      gpuModel: "a100",
      gpuMemoryBytes: 40 * GIB,
      cuda: "12.0",
      cpus: 8,
      memoryBytes: 64 * GIB,
      arch: "x64",
      rootless: true,
      dind: true,
      host: "here",
    },
  });
});

it("asks for one GPU of any kind with gpu: {}, and for a slice with mig", () => {
  expect(needOf("{ needs: { gpu: {} } }")).toMatchObject({ need: { gpus: 1 } });
  expect(needOf("{ needs: { gpu: { mig: 1g.10gb } } }")).toMatchObject({
    need: { gpus: 1, mig: "1g.10gb" },
  });
});

it("is joined with what further labels ask for, and contradicts them where both cannot hold", () => {
  expect(needOf("{ needs: { cpus: 8 } }", "rootless", "mem=1g")).toMatchObject({
    need: { cpus: 8, rootless: true, memoryBytes: GIB },
  });
  expect(needOf("{ needs: { cpus: 8 } }", "cpu=4")).toMatchObject({ kind: "contradiction" });
  expect(needOf('{ needs: { gpu: { cuda: "12" } } }', "cuda=12.0")).toMatchObject({
    kind: "need",
  });
});
