/**
 * Runs jest with what it needs for ES modules and ends with one line, `N passed, N failed`. `--long` adds the files
 * `*.long.test.ts` and sets BERTH_LONG=1, on which tests with seeded samples take all of them; other arguments go to jest.
 *
 * Where there is no container engine and none can run, as in a container without privileges, the tests that need one are left out, and it
 * says so. Where one could run they are not: its absence is a failure then.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, homedir, tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { connectEngine } from "../src/containers/connect-engine.ts";
import { installPackages } from "../src/hosts/debian-packages.ts";
import { findProgram } from "../src/hosts/find-program.ts";
import { applySetup, type SetupEvent } from "../src/hosts/setup-step.ts";
import { stateFolder } from "../src/store/state-folder.ts";
import { testEngine } from "../test/engine.ts";
import { prepareHostMachines } from "../test/host-machines.ts";
import { ROOTLESS_PACKAGES, whyNoRootlessEngine } from "../test/rootless-engine.ts";
import { debianProgram } from "../test/src/containers/debian-program.ts";

/** Without it nothing can be mounted, and so no engine started. */
const CAP_SYS_ADMIN = 21n;

type JestResult = {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  /** Files that could not be run at all: none of their tests is counted anywhere else. */
  readonly numRuntimeErrorTestSuites: number;
};

const root = join(import.meta.dirname, "..");
const isLong = process.argv.includes("--long");
const canRunEngine = await hasEngine();
if (canRunEngine) await prepareFixtures();
const leftOut = [
  ...(isLong ? [] : ["\\.long\\.test\\.ts$"]),
  ...(canRunEngine ? [] : ["\\.docker\\.test\\.ts$"]),
];
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
    ...leftOut.flatMap((pattern) => ["--testPathIgnorePatterns", pattern]),
    ...["--json", "--outputFile", resultFile],
    // Much of the time is spent waiting: for an engine, for a container, for a machine over SSH.
    ...["--maxWorkers", String(availableParallelism() + 1)],
    ...passedOn,
  ],
  {
    cwd: root,
    // jest prints the same JSON on stdout as well; people read stderr.
    stdio: ["inherit", "ignore", "inherit"],
    env: {
      ...process.env,
      PATH: await testPath(),
      ...(isLong ? { BERTH_LONG: "1" } : {}),
      ...(canRunEngine ? {} : { BERTH_NO_ENGINE: "1" }),
    },
  },
);

const result = readResult();
rmSync(folder, { recursive: true, force: true });
const failed = result.numFailedTests + result.numRuntimeErrorTestSuites;
console.log(`${result.numPassedTests} passed, ${failed} failed`);
process.exitCode = jest.status === 0 && failed === 0 ? 0 : 1;

/** Once: what tests start from, so that none of them has to wait for it. A failure is theirs to tell. */
async function prepareFixtures(): Promise<void> {
  const say = (line: string) => console.error(`test: ${line}`);
  try {
    await prepareHostMachines(say);
    await providePackages(say);
  } catch (error) {
    say(`the machines that tests run on could not be prepared: ${String(error)}`);
  }
}

/** Packages are only installed on a machine whose engine Berth set up; elsewhere tests of rootless engines are left out where something is missing. */
async function providePackages(say: (line: string) => void): Promise<void> {
  const engine = await testEngine();
  if (engine.source === "berth" && process.getuid?.() === 0) {
    const packages = [
      ...ROOTLESS_PACKAGES,
      { name: "openssh-client", program: "ssh" },
      { name: "openssl", program: "openssl" },
    ];
    const step = installPackages(
      "Tests run a rootless engine, log in over SSH, and make certificates.",
      packages,
    );
    const report = ({ type }: SetupEvent) =>
      type === "step_started" && say(`${step.commands.join("; ")} (for tests)`);
    await applySetup([step], { report, signal: new AbortController().signal });
  }
  const reason = await whyNoRootlessEngine();
  if (reason !== undefined) say(`the tests of rootless engines are left out: ${reason}`);
}

/** A jest that ended without a result is one failure. */
function readResult(): JestResult {
  try {
    return JSON.parse(readFileSync(resultFile, "utf8")) as JestResult;
  } catch {
    return { numPassedTests: 0, numFailedTests: 1, numRuntimeErrorTestSuites: 0 };
  }
}

/** Whether the tests that need an engine can be asked for: one answers, or this process has what it takes to start one. */
async function hasEngine(): Promise<boolean> {
  const uid = process.getuid?.() ?? 0;
  const capabilities = /^CapEff:\s*(\w+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  const isAdministrator = (BigInt(`0x${capabilities ?? 0}`) >> CAP_SYS_ADMIN) & 1n;
  if (isAdministrator) return true;
  try {
    await connectEngine({
      env: process.env,
      home: homedir(),
      uid,
      stateDir: stateFolder(process.env, uid),
    });
    return true;
  } catch (error) {
    console.error(`test: the tests that need a container engine are left out. ${String(error)}`);
    return false;
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
