import { expect, it } from "@jest/globals";
import { hostReport, hostTable } from "../../../../src/cli/view/host-report.ts";
import { aGpu, aMachine } from "../../hosts/host-facts.ts";

const gpu = aGpu({
  uuid: null,
  memoryBytes: null,
  driver: null,
  cuda: null,
  usable: false,
  reason: "The NVIDIA driver is not installed.",
  remedy: "Install it.",
});
const facts = aMachine({
  gpus: [gpu, { ...gpu, index: 1 }],
  warnings: [{ message: "Something is old.", remedy: "Renew it." }],
});

it("gives one reason once, with all that it holds for", () => {
  const report = hostReport(facts);

  expect(report).toContain(
    "✗ GPU 0, GPU 1: The NVIDIA driver is not installed.\n  Install it.\n! Something is old.\n  Renew it.\n",
  );
  expect(report).toContain("No container engine. Run `berth doctor --fix`.");
});

it("lists hosts in aligned columns", () => {
  expect(hostTable([facts, { ...facts, name: "a-longer-name", gpus: [] }])).toBe(
    [
      "HOST           ARCH  CPUS  MEMORY  ENGINES  GPUS          WARNINGS",
      "box            x64   4     8 GiB   none     2 not usable  1",
      "a-longer-name  x64   4     8 GiB   none     none          1",
      "",
    ].join("\n"),
  );
});
