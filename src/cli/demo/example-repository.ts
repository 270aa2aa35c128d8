import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { packageFolder } from "../../../runner/image/package-folder.ts";

/** What the demo pushes to: `examples/harbour` of this package. */
export const EXAMPLE = "harbour/ship";

/** The workflow that an engine is needed for. */
export const NEEDS_CONTAINERS = ".github/workflows/tides.yml";

/** Its files by path. Without an engine what needs containers of its own is left out. */
export async function exampleFiles(options: {
  readonly hasEngine: boolean;
}): Promise<{ [path: string]: string }> {
  const folder = join(packageFolder(), "examples/harbour");
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)))
    .filter((path) => options.hasEngine || path !== NEEDS_CONTAINERS)
    .sort();
  const texts = await Promise.all(paths.map((path) => readFile(join(folder, path), "utf8")));
  return Object.fromEntries(paths.map((path, index) => [path, texts[index] ?? ""]));
}

/** The commit that starts it all. */
export const EXAMPLE_COMMIT = {
  branch: "main",
  message: "Mend the sail",
  files: { "parts/sail.md": "# Sail\n\nCanvas, 40 square metres.\nMended with a patch.\n" },
};
