/**
 * Runs jest with what it needs for ES modules and ends with one line, `N passed, N failed`. `--long` adds the files
 * `*.long.test.ts` and sets BERTH_LONG=1, on which tests with seeded samples take all of them; other arguments go to jest.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { findProgram } from "../src/hosts/find-program.ts";
import { debianProgram } from "../test/src/containers/debian-program.ts";

type JestResult = {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  /** Files that could not be run at all: none of their tests is counted anywhere else. */
  readonly numRuntimeErrorTestSuites: number;
};

const root = join(import.meta.dirname, "..");
const isLong = process.argv.includes("--long");
const passedOn = process.argv.slice(2).filter((argument) => argument !== "--long");

const folder = mkdtempSync(join(tmpdir(), "berth-test-"));
const resultFile = join(folder, "result.json");
const jest = spawnSync(
  process.execPath,
  [
    "--experimental-vm-modules",
    "--disable-warning=ExperimentalWarning",
    "node_modules/jest/bin/jest.js",
    // Takes every argument up to the next flag for one more pattern, so it cannot be the last.
    ...(isLong ? [] : ["--testPathIgnorePatterns", "\\.long\\.test\\.ts$"]),
    ...["--json", "--outputFile", resultFile],
    ...["--maxWorkers", String(Math.max(2, availableParallelism() - 1))],
    ...passedOn,
  ],
  {
    cwd: root,
    // jest prints the same JSON on stdout as well; people read stderr.
    stdio: ["inherit", "ignore", "inherit"],
    env: { ...process.env, PATH: await testPath(), ...(isLong ? { BERTH_LONG: "1" } : {}) },
  },
);

const result = readResult();
rmSync(folder, { recursive: true, force: true });
const failed = result.numFailedTests + result.numRuntimeErrorTestSuites;
console.log(`${result.numPassedTests} passed, ${failed} failed`);
process.exitCode = jest.status === 0 && failed === 0 ? 0 : 1;

/** A jest that ended without a result is one failure. */
function readResult(): JestResult {
  try {
    return JSON.parse(readFileSync(resultFile, "utf8")) as JestResult;
  } catch {
    return { numPassedTests: 0, numFailedTests: 1, numRuntimeErrorTestSuites: 0 };
  }
}

/** The tests run shells of three kinds here; a bare machine lacks busybox, and none is installed for a test. */
async function testPath(): Promise<string> {
  const path = process.env.PATH ?? "";
  if ((await findProgram("busybox")) !== undefined) return path;
  try {
    const busybox = await debianProgram("busybox-static", "bin/busybox");
    return `${path}${delimiter}${dirname(busybox)}`;
  } catch (error) {
    console.error(
      `test: there is no busybox here and none to be had, tests of it will fail: ${error}`,
    );
    return path;
  }
}
