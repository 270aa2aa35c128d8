import { posix } from "node:path";
import { matchesPatterns } from "../../runner/workflow/match-pattern.ts";
import { readImageReference } from "../containers/image-reference.ts";

/** Whether a name is wanted by a policy's patterns; `*` alone is any name at all, slashes or not. */
export function isAllowedName(
  name: string,
  patterns: readonly string[],
  { ignoreCase = false }: { ignoreCase?: boolean } = {},
): boolean {
  const fold = (text: string) => (ignoreCase ? text.toLowerCase() : text);
  return matchesPatterns(fold(name), patterns.map(anyName).map(fold));
}

/** `dependabot[bot]` is a login, and no set of three letters. */
export function isAllowedLogin(login: string, patterns: readonly string[]): boolean {
  const escaped = patterns.map((pattern) => pattern.replace(/\[bot\]$/i, "\\[bot\\]"));
  return isAllowedName(login, escaped, { ignoreCase: true });
}

/**
 * Whether an image is wanted by patterns. Each of its names is tried, so that `python`, `library/python` and `docker.io/library/python`
 * are one; a pattern without a tag means all of them. With a digest the tag is only decoration, and does not count.
 */
export function isAllowedImage(image: string, patterns: readonly string[]): boolean {
  if (patterns.length === 1 && patterns[0] === "*") return true;
  const names = namesOf(image);
  let isAllowed = false;
  for (const pattern of patterns.map(anyName)) {
    const wanted = pattern.replace(/^!/, "");
    if (names.some((name) => matchesPatterns(name, [wanted]))) isAllowed = wanted === pattern;
  }
  return isAllowed;
}

/** Whether a path of the host is one of these folders or below one, wherever `..` leads. */
export function isAllowedPath(path: string, folders: readonly string[]): boolean {
  const real = posix.resolve(path);
  return folders
    .map((folder) => posix.resolve(folder))
    .some((folder) => {
      return real === folder || real.startsWith(folder === "/" ? "/" : `${folder}/`);
    });
}

function anyName(pattern: string): string {
  return pattern.replace(/^(!?)\*$/, "$1**");
}

/** @throws {BerthError} `IMAGE_NOT_FOUND` when no image can have that name. */
function namesOf(image: string): string[] {
  const { registry: host, repository, tag = "latest", digest } = readImageReference(image);
  const registry = host.toLowerCase().replace(/^index\.docker\.io$/, "docker.io");
  const isHub = registry === "docker.io";
  const path = isHub && !repository.includes("/") ? `library/${repository}` : repository;
  const names = [
    `${registry}/${path}`,
    ...(isHub ? [path] : []),
    ...(isHub && path.startsWith("library/") ? [path.slice("library/".length)] : []),
  ];
  const version = digest === undefined ? `:${tag}` : `@${digest}`;
  return names.flatMap((name) => [name, `${name}${version}`]);
}
