import { expect, it } from "@jest/globals";
import { explainLabels } from "../../../src/profiles/explain-labels.ts";

it.each([
  ["gpu=a100:2", "2 GPUs of the model a100, for this job alone"],
  ["gpu", "a GPU of any model, for this job alone"],
  ["gpu-mem=40g", "a GPU with 40 GiB of memory or more"],
  ["mem=16GB", "16 GiB of memory, reserved and enforced"],
  ["cpu=1", "1 CPU, reserved and enforced"],
  ["host=Box", "the host box and no other"],
])("says what %s means", (label, meaning) => {
  expect(explainLabels([label])).toEqual([{ label, known: true, meaning }]);
});

it.each([
  ["gpus", "Was gpu meant?"],
  ["gpus=2", "Was gpu=2 meant?"],
  ["gppu", "Was gpu meant?"],
  ["gpu2", "Was gpu=2 meant?"],
  ["rootles", "Was rootless meant?"],
  ["memory=16g", "Was mem=16g meant?"],
  ["mem16g", "Was mem=16g meant?"],
  ["cpus=4", "Was cpu=4 meant?"],
  ["gpumem=40g", "Was gpu-mem=40g meant?"],
  ["cuda12.4", "Was cuda=12.4 meant?"],
  ["amd64", "Was x64 meant?"],
  ["aarch64", "Was arm64 meant?"],
  ["ml-trian", "Was ml-train meant?"],
  ["mem=16", "Was mem=16g meant?"],
  ["ubuntu-latest", "write berth instead"],
  ["windows-latest", "It asks for Windows"],
  ["macos-14", "It asks for macOS"],
  ["gpu-large", "neither a number of GPUs nor a model"],
  ["image-builder", "no name of an image"],
  ["my-very-own-runner", "Berth knows no such label"],
])("says of %s what it may have been meant to be", (label, hint) => {
  const [explained] = explainLabels([label], new Map([["ml-train", {}]]));

  expect(explained).toEqual({ label, known: false, meaning: expect.stringContaining(hint) });
});
