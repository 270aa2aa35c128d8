import type { NodeRelease } from "./node-volume.ts";
import type { TarEntry } from "./tar-entry.ts";

/** Where tools lie in a job's container: what its steps know as `RUNNER_TOOL_CACHE`. */
export const TOOL_CACHE_PATH = "/__t";

/** Where a Node of `/__e` stands in the tool cache, and where `npm install --global` puts what it installs. */
export function toolCacheFolder({ version, arch }: Omit<NodeRelease, "folder">): string {
  return `${TOOL_CACHE_PATH}/node/${version}/${arch}`;
}

/**
 * Entries of a tar to be unpacked below the tool cache: each Node of `/__e` in the layout in which `actions/setup-node` looks for one
 * (`findAllVersions` of `@actions/tool-cache`): `node/VERSION/ARCH`, beside it an `ARCH.complete`. They are links, so it costs nothing.
 */
export function toolCacheEntries(nodes: readonly NodeRelease[]): TarEntry[] {
  if (nodes.length === 0) return [];
  return [{ name: "node/", type: "directory" }, ...nodes.flatMap(nodeEntries)];
}

function nodeEntries({ folder, version, arch }: NodeRelease): TarEntry[] {
  const root = `node/${version}/${arch}`;
  const folders = [
    `node/${version}`,
    root,
    `${root}/bin`,
    `${root}/lib`,
    `${root}/lib/node_modules`,
  ];
  return [
    ...folders.map((name): TarEntry => ({ name: `${name}/`, type: "directory" })),
    link(`${root}/bin/node`, `/__e/${folder}/bin/node`),
    link(`${root}/bin/npm`, "../lib/node_modules/npm/bin/npm-cli.js"),
    link(`${root}/bin/npx`, "../lib/node_modules/npm/bin/npx-cli.js"),
    link(`${root}/lib/node_modules/npm`, `/__e/${folder}/lib/node_modules/npm`),
    { name: `${root}.complete`, type: "file", mode: 0o644 },
  ];
}

function link(name: string, linkname: string): TarEntry {
  return { name, type: "symlink", linkname };
}
