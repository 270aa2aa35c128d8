/**
 * Whether a sparse checkout of these folders has a file: all that is below one of them, and what lies directly in a folder on the way
 * to one. Without folders it is no sparse checkout.
 */
export function isInCone(file: string, folders: readonly string[] | undefined): boolean {
  if (folders === undefined) return true;
  const parent = file.slice(0, Math.max(0, file.lastIndexOf("/")));
  return (
    parent === "" ||
    folders.some((folder) => file.startsWith(`${folder}/`) || folder.startsWith(`${parent}/`))
  );
}

/** The same for git, as `git sparse-checkout set` writes it. */
export function conePatterns(folders: readonly string[]): string {
  const isCovered = (folder: string) => folders.some((other) => folder.startsWith(`${other}/`));
  const onTheWay = [...new Set(folders.flatMap(parentsOf))].filter(
    (parent) => !folders.includes(parent) && !isCovered(parent),
  );
  const whole = folders.filter((folder) => !isCovered(folder));
  const lines = [
    // A later line wins, and those of a parent take away what is below it.
    ...onTheWay.sort(byDepth).flatMap((folder) => [`/${folder}/`, `!/${folder}/*/`]),
    ...whole.map((folder) => `/${folder}/`),
  ];
  return `${["/*", "!/*/", ...lines].join("\n")}\n`;
}

function parentsOf(folder: string): string[] {
  const parts = folder.split("/");
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"));
}

function byDepth(a: string, b: string): number {
  return a.split("/").length - b.split("/").length;
}
