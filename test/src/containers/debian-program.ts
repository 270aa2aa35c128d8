import { execFile } from "node:child_process";
import { access, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A program out of a Debian package that need not be installed: downloaded and unpacked once, in a temporary folder. */
export async function debianProgram(name: string, path: string): Promise<string> {
  const kept = join(tmpdir(), "berth-test-packages", name);
  const program = join(kept, path);
  if (await exists(program)) return program;

  await mkdir(join(tmpdir(), "berth-test-packages"), { recursive: true });
  const folder = await mkdtemp(`${kept}-`);
  try {
    await download(name, folder);
    await run("sh", ["-c", "dpkg-deb --extract *.deb unpacked"], { cwd: folder });
    // Whoever is first wins; the other's is the same.
    await rename(join(folder, "unpacked"), kept).catch(() => {});
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return program;
}

async function download(name: string, folder: string): Promise<void> {
  try {
    await run("apt-get", ["download", name], { cwd: folder });
  } catch {
    // The system's package lists are old or missing, and only root may renew them.
    await mkdir(join(folder, "lists/partial"), { recursive: true });
    const lists = ["-o", `Dir::State::lists=${folder}/lists`, "-o", `Dir::Cache=${folder}/cache`];
    await run("apt-get", [...lists, "update"]);
    await run("apt-get", [...lists, "download", name], { cwd: folder });
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
