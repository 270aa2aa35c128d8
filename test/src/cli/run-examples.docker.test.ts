import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { jobImage, makeTestImages, testEngine } from "../../engine.ts";
import { conclusions, type Ended, logOf, runBerth } from "./run-berth.ts";

const EXAMPLES = join(import.meta.dirname, "../../../examples");

let cwd: string;
let ended: Ended;
beforeAll(async () => {
  const [image] = await Promise.all([jobImage(), makeTestImages()]);
  cwd = mkdtempSync(join(tmpdir(), "berth-examples-test-"));
  cpSync(EXAMPLES, join(cwd, "examples"), { recursive: true });
  mkdirSync(join(cwd, "output"));
  // The job image's user is not the one that runs this.
  chmodSync(join(cwd, "output"), 0o777);
  const vars = {
    DEBIAN_IMAGE: "berth-test/debian",
    BUSYBOX_IMAGE: "berth-test/busybox",
    PYTHON_IMAGE: image,
    INPUT_FOLDER: join(cwd, "examples/data"),
    OUTPUT_FOLDER: join(cwd, "output"),
  };
  const { endpoint } = await testEngine();
  ended = await runBerth(
    [
      ...["run", "examples/workflows", "--json"],
      ...Object.entries(vars).flatMap(([name, value]) => ["--var", `${name}=${value}`]),
    ],
    { cwd, env: { DOCKER_HOST: endpoint } },
  );
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

it("runs every example to its end", () => {
  expect(ended.stderr).toBe("");
  expect(conclusions(ended)).toEqual({
    ...{ build: "success", check: "success", report: "success" },
    ...{ count: "success", seal: "success" },
    ask: "success",
    ...{ "Process arrivals": "success", "Process departures": "success" },
    ...{ "Process cargo": "success", total: "success" },
    ...{ "Test on debian": "success", "Test on busybox": "success", "Test on python": "success" },
  });
});

it("shows a JavaScript, a composite and a docker action", () => {
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

it("shows a service that is healthy before the first step", () => {
  const log = logOf(ended, "ask");

  expect(log.indexOf("tides service is healthy.")).toBeGreaterThan(-1);
  expect(log.lastIndexOf("high at 14:32")).toBeGreaterThan(
    log.indexOf("tides service is healthy."),
  );
});

it("builds the docker action on a public image unless one is named", () => {
  const dockerfile = readFileSync(join(EXAMPLES, "actions/seal/Dockerfile"), "utf8");

  expect(dockerfile).toMatch(/^ARG BASE=debian:bookworm-slim\nFROM \$BASE\n/);
});
