import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { containerExamples } from "../../../src/cli/demo-examples.ts";
import { jobImage, makeTestImages, testEngine } from "../../engine.ts";
import { conclusions, logOf, runBerth } from "./run-berth.ts";

const EXAMPLES = join(import.meta.dirname, "../../../examples");
const IMAGES = {
  debian: "berth-test/debian",
  busybox: "berth-test/busybox",
  python: "berth-test/debian",
};

let cwd: string;
beforeAll(async () => {
  await Promise.all([jobImage(), makeTestImages()]);
  cwd = mkdtempSync(join(tmpdir(), "berth-examples-test-"));
  cpSync(EXAMPLES, join(cwd, "examples"), { recursive: true });
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

it("shows a JavaScript, a composite and a docker action", async () => {
  const ended = await runExample("actions.yml");

  expect(conclusions(ended)).toEqual({ count: "success", seal: "success" });
  expect(logOf(ended, "count")).toEqual(
    expect.arrayContaining([
      "examples/data/arrivals.csv: 24 rows, 11 of them by Alba",
      "Most arrivals: Alba. examples/data/departures.csv has 18 rows, most of Dorada",
      "done with examples/data/departures.csv",
      "done with examples/data/arrivals.csv",
    ]),
  );
  expect(logOf(ended, "seal")).toContainEqual(
    expect.stringMatching(
      /^sealed in the container \w+: [0-9a-f]{64} {2}examples\/data\/cargo.csv$/,
    ),
  );
});

it("shows a service that is healthy before the first step", async () => {
  const ended = await runExample("service.yml");

  expect(conclusions(ended)).toEqual({ ask: "success" });
  const log = logOf(ended);
  expect(log.indexOf("tides service is healthy.")).toBeGreaterThan(-1);
  expect(log.lastIndexOf("high at 14:32")).toBeGreaterThan(
    log.indexOf("tides service is healthy."),
  );
});

it("leaves out what mounts folders of this machine when the engine is elsewhere", () => {
  const here = containerExamples(IMAGES, { output: "/out", isEngineHere: true });
  const elsewhere = containerExamples(IMAGES, { output: "/out", isEngineHere: false });

  const filesOf = ({ examples }: typeof here) => examples.map(({ file }) => file);
  expect(filesOf(here)).toContain("data-pipeline.yml");
  expect(filesOf(elsewhere)).toEqual(filesOf(here).filter((file) => file !== "data-pipeline.yml"));
  expect(elsewhere.leftOut).toEqual([
    expect.objectContaining({ file: "data-pipeline.yml", why: expect.stringContaining("engine") }),
  ]);
});

it("builds the docker action on a public image unless one is named", () => {
  const dockerfile = readFileSync(join(EXAMPLES, "actions/seal/Dockerfile"), "utf8");

  expect(dockerfile).toMatch(/^ARG BASE=debian:bookworm-slim\nFROM \$BASE\n/);
});

async function runExample(name: string) {
  const { examples } = containerExamples(IMAGES, { output: cwd, isEngineHere: true });
  const vars = examples.find(({ file }) => file === name)?.flags?.var ?? [];
  const { endpoint } = await testEngine();
  return await runBerth(
    ["run", `examples/workflows/${name}`, "--json", ...vars.flatMap((pair) => ["--var", pair])],
    { cwd, env: { DOCKER_HOST: endpoint } },
  );
}
