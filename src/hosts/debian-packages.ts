import { readFile, rm, writeFile } from "node:fs/promises";
import { findProgram } from "./find-program.ts";
import { runCommand } from "./run-command.ts";
import type { ApplyOptions, SetupStep } from "./setup-step.ts";

const POLICY_FILE = "/usr/sbin/policy-rc.d";
const POLICY_MARK = "# Put here by Berth while it installs packages; safe to delete.";

/** Each package with a program by which one sees that it (or something as good) is there. */
export type WantedPackage = { readonly name: string; readonly program: string };

/**
 * Installs Debian packages, without what they only recommend, and without starting the services they bring:
 * what is to run, Berth starts itself.
 */
export function installPackages(why: string, packages: readonly WantedPackage[]): SetupStep {
  const names = packages.map(({ name }) => name);
  return {
    name: `Install ${names.join(", ")}`,
    why,
    commands: [`apt-get install --no-install-recommends ${names.join(" ")}`],
    async isDone() {
      return (await missing(packages)).length === 0;
    },
    async apply(options) {
      await apply(await missing(packages), options);
    },
  };
}

async function missing(packages: readonly WantedPackage[]): Promise<string[]> {
  const found = await Promise.all(packages.map(({ program }) => findProgram(program)));
  return packages.filter((_, index) => found[index] === undefined).map(({ name }) => name);
}

async function apply(names: readonly string[], { progress, signal }: ApplyOptions): Promise<void> {
  const options = { signal, env: { DEBIAN_FRONTEND: "noninteractive" }, onLine: progress };
  const lock = ["-o", "DPkg::Lock::Timeout=120"];
  const update = () => runCommand(["apt-get", ...lock, "update"], options);
  const install = () =>
    runCommand(["apt-get", ...lock, "install", "-y", "--no-install-recommends", ...names], options);

  // An installation that was interrupted has to be finished before apt does anything else.
  if (await runCommand(["dpkg", "--audit"], { signal })) {
    await runCommand(["dpkg", "--configure", "-a"], options);
  }
  await using _policy = await keepServicesFromStarting();
  const areListed = await canInstall(names, signal);
  if (!areListed) await update();
  try {
    await install();
  } catch (error) {
    // Lists that have grown old name packages which the mirror no longer has.
    if (!areListed) throw error;
    await update();
    await install();
  }
  await keepServicesFromBooting(options);
}

async function canInstall(names: readonly string[], signal: AbortSignal): Promise<boolean> {
  const policies = await Promise.all(
    names.map((name) => runCommand(["apt-cache", "policy", name], { signal })),
  );
  return policies.every((policy) => /^ {2}Candidate: (?!\(none\))/m.test(policy));
}

/** Debian asks /usr/sbin/policy-rc.d before it starts a service. One that is there already stays in charge. */
async function keepServicesFromStarting(): Promise<AsyncDisposable> {
  const script = `#!/bin/sh\n${POLICY_MARK}\nexit 101\n`;
  const present = await readFile(POLICY_FILE, "utf8").catch(() => undefined);
  const isOurs = present === undefined || present.includes(POLICY_MARK);
  if (isOurs) await writeFile(POLICY_FILE, script, { mode: 0o755 });
  return {
    async [Symbol.asyncDispose]() {
      if (isOurs) await rm(POLICY_FILE, { force: true });
    },
  };
}

/** docker.io enables its services for the next boot; ours is the engine that was asked for. */
async function keepServicesFromBooting(options: Parameters<typeof runCommand>[1]): Promise<void> {
  const hasSystemd = await readFile("/run/systemd/system").catch(
    (error) => error.code === "EISDIR",
  );
  if (!hasSystemd) return;
  const units = ["docker.service", "docker.socket", "containerd.service"];
  await runCommand(["systemctl", "disable", ...units], options);
}
