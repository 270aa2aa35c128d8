import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { BerthError } from "../../../runner/errors.ts";
import { localShell, type MachineShell } from "../../../src/hosts/machine-shell.ts";
import { probeWith } from "../../../src/hosts/probe-with.ts";

const { signal } = new AbortController();
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "berth-probe-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function program(name: string, script: string): Promise<void> {
  await writeFile(join(root, name), `#!/bin/sh\n${script}\n`);
  await chmod(join(root, name), 0o755);
}

/** This machine, with the programs below `root` before its own, and no engine that answers. */
function machine(): MachineShell {
  return localShell({ PATH: `${root}:${process.env.PATH}`, HOME: root });
}

function noEngine(endpoint: string): Promise<never> {
  throw new BerthError("ENGINE_NOT_FOUND", { message: `Nobody listens at ${endpoint}.` });
}

function probe(shell: MachineShell, { limitS = 10 } = {}) {
  return probeWith(shell, { connectEngine: async (at) => noEngine(at), root, limitS, signal });
}

/** A machine that prints that, whatever it is asked. */
function says(stdout: string, stderr = "", exitCode = 1): MachineShell {
  return {
    async run(_, { onLine }) {
      for (const line of stdout.split("\n")) onLine?.(line, "stdout");
      for (const line of stderr.split("\n")) onLine?.(line, "stderr");
      return { exitCode, stdout, stderr };
    },
  };
}

it.each([
  ["3600", 3_600_000, "Its clock is 3600 s ahead of this machine's"],
  ["-120", -120_000, "Its clock is 120 s behind this machine's"],
])("tells how far a clock is off: %s s", async (seconds, skewMs, message) => {
  await program("date", `echo $(( $(/bin/date +%s) + ${seconds} )).$(/bin/date +%N)`);

  const { clockSkewMs, warnings } = await probe(machine());

  expect(Math.abs((clockSkewMs ?? 0) - skewMs)).toBeLessThan(2000);
  expect(warnings).toContainEqual({
    message: expect.stringContaining(message),
    remedy: expect.stringContaining("set-ntp"),
  });
});

it("takes a clock that tells whole seconds for right", async () => {
  await program("date", "/bin/date +%s");

  expect(await probe(machine())).toMatchObject({ clockSkewMs: 0 });
});

it("returns what was found out when a program can be neither killed nor waited for", async () => {
  // Its child holds the streams open, as one that hangs in the kernel does.
  const pidFile = join(root, "pid");
  await program("runc", `setsid sleep 300 & echo $! >${pidFile}; echo 'runc version 1.3.3'`);

  const facts = await probe(machine());

  process.kill(Number(await readFile(pidFile, "utf8")));
  expect(facts).toMatchObject({ os: "linux", runc: "1.3.3" });
});

it("says of Docker without a daemon how to start it", async () => {
  await program("dockerd", "exit 1");
  const shell = machine();
  // The daemons of the machine that runs the tests are none of this one.
  const alone: MachineShell = {
    run: (script, options) => shell.run(script.replace(/^part sockets .*$/m, ""), options),
  };

  const { engines, warnings } = await probe(alone);

  expect(engines).toEqual([]);
  expect(warnings).toContainEqual({
    message: "Docker is installed, and no daemon listens at a socket that Berth knows.",
    remedy: expect.stringContaining("docker"),
  });
});

it.each([
  [
    "'sh' is not recognized as an internal or external command,\r\noperable program or batch file.",
    "That machine runs Windows",
  ],
  ["This account is currently not available.", "The login there runs no POSIX shell"],
])("says of a machine without a shell: %s", async (said, message) => {
  await expect(probe(says("", said))).rejects.toMatchObject({
    code: "HOST_UNUSABLE",
    message: expect.stringContaining(message),
    remedy: expect.any(String),
  });
});

it("says of macOS where its containers run", async () => {
  await program("uname", 'case $1 in -s) echo Darwin ;; *) /bin/uname "$@" ;; esac');

  const { os, warnings } = await probe(machine());

  expect(os).toBe("darwin");
  expect(warnings.map(({ message }) => message).join("\n")).toContain("runs macOS");
});

it("throws what keeps the machine from being asked", async () => {
  const lost = new BerthError("HOST_UNREACHABLE", { message: "The host gpu-1 is gone." });
  const shell: MachineShell = { run: () => Promise.reject(lost) };

  await expect(probe(shell)).rejects.toBe(lost);
});
