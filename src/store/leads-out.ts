/** What Linux follows before it gives up on a chain of symbolic links. */
const MAX_HOPS = 40;

/**
 * Whether following a path leaves the folder that it is relative to, be it on the way. `links` are all symbolic links
 * below that folder, path → target: a target that looks harmless may lead out through another link.
 */
export function leadsOut(path: string, links: ReadonlyMap<string, string>): boolean {
  const ahead = path.split("/");
  const at: string[] = [];
  let hops = 0;
  for (let name = ahead.shift(); name !== undefined; name = ahead.shift()) {
    if (name === "" || name === ".") continue;
    if (name === ".." && at.pop() === undefined) return true;
    if (name === "..") continue;

    at.push(name);
    const target = links.get(at.join("/"));
    if (target === undefined) continue;
    if (target.startsWith("/")) return true;
    hops += 1;
    if (hops > MAX_HOPS) return false; // a circle, which leads nowhere
    at.pop();
    ahead.unshift(...target.split("/"));
  }
  return false;
}
