import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { findProgram } from "./find-program.ts";
import { runCommand } from "./run-command.ts";
import type { ApplyOptions } from "./setup-step.ts";

const SUITE = "bookworm";
/** What Debian's own slim images leave out, too. */
const LEFT_OUT = [
  "/usr/share/man/*",
  "/usr/share/doc/*",
  "/usr/share/info/*",
  "/usr/share/locale/*",
];

/** A root file system as a tar file on disk; disposing of it deletes the file. */
export type RootFileSystem = AsyncDisposable & { readonly tarFile: string };

/**
 * Makes a small Debian 12 from the packages of this machine's own mirrors, with no image registry (20 to 40 s).
 *
 * @param workFolder takes the tar file, some 140 MB.
 * @throws {BerthError} `SETUP_FAILED` when mmdebstrap fails.
 */
export async function makeDebianBase(
  workFolder: string,
  { progress, signal }: ApplyOptions,
): Promise<RootFileSystem> {
  await mkdir(workFolder, { recursive: true });
  await removeAbandoned(workFolder);
  const folder = await mkdtemp(join(workFolder, `base-${process.pid}-`));
  const tarFile = join(folder, "base.tar");
  const remove = () => rm(folder, { recursive: true, force: true });

  try {
    const sources = await machineSources(signal);
    await runCommand(
      [
        "mmdebstrap",
        "--variant=minbase",
        ...LEFT_OUT.map((path) => `--dpkgopt=path-exclude=${path}`),
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        "--dpkgopt=path-include=/usr/share/locale/locale.alias",
        // Nobody needs a half-made image after a power cut.
        "--dpkgopt=force-unsafe-io",
        '--aptopt=Apt::Install-Recommends "false"',
        '--aptopt=Acquire::Languages "none"',
        ...(await machineProxies(signal)),
        SUITE,
        tarFile,
        // With none mmdebstrap takes Debian's own, with updates and security.
        ...sources,
      ],
      { signal, onLine: progress },
    );
  } catch (error) {
    await remove();
    throw error;
  }
  return { tarFile, [Symbol.asyncDispose]: remove };
}

/** What processes left that were killed while they made a base. */
async function removeAbandoned(workFolder: string): Promise<void> {
  for (const name of await readdir(workFolder)) {
    const pid = /^base-(\d+)-/.exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    await rm(join(workFolder, name), { recursive: true, force: true });
  }
}

/** The Debian mirrors this machine uses; none where it is not a Debian of that release. */
async function machineSources(signal: AbortSignal): Promise<string[]> {
  if (!(await findProgram("apt-get"))) return [];
  const format = "$(REPO_URI) $(RELEASE) $(COMPONENT)";
  const query = ["--format", format, "Created-By: Packages"];
  const targets = await runCommand(["apt-get", "indextargets", ...query], { signal });
  const sources = targets.split("\n").flatMap((line) => {
    const [uri = "", release = "", component = ""] = line.split(" ");
    // Other vendors name their suites like Debian's, and sign with keys that the base does not know.
    const isDebian = /\/debian(-security)?\/?$/.test(uri) && component === "main";
    const isSuite = [SUITE, `${SUITE}-updates`, `${SUITE}-security`].includes(release);
    return isDebian && isSuite ? [`deb ${uri.replace(/\/$/, "")} ${release} main`] : [];
  });
  return [...new Set(sources)];
}

async function machineProxies(signal: AbortSignal): Promise<string[]> {
  if (!(await findProgram("apt-config"))) return [];
  const names = ["Acquire::http::Proxy", "Acquire::https::Proxy"];
  const settings = await runCommand(["apt-config", "dump", ...names], { signal });
  return settings
    .split("\n")
    .filter((line) => /^Acquire::https?::Proxy "[^"]+";$/.test(line))
    .map((line) => `--aptopt=${line}`);
}
