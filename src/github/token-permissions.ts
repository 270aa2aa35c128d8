import { expandPermissions } from "../../runner/workflow/permissions.ts";

type Grants = { readonly [name: string]: string };

export type TokenPermissions = {
  /** As the API has them: `pull_requests: read`. */
  readonly permissions: Grants;
  /** What a workflow asked for by name and the App does not have, as it wrote that: `packages: write`. */
  readonly missing: readonly string[];
};

const LEVELS = ["none", "read", "write"];
/** What GitHub gives where nothing is said and the repository's setting is the restricted one. */
const DEFAULT: Grants = { contents: "read", metadata: "read", packages: "read" };

/**
 * What a job's token may do: what the workflow says, as far as the installation goes.
 *
 * @param wanted A workflow's `permissions`, `read-all` and `write-all` spelled out.
 * @param granted What the installation has, in the API's names.
 */
export function tokenPermissions(wanted: Grants | undefined, granted: Grants): TokenPermissions {
  const scopes = Object.entries(wanted ?? DEFAULT).filter(([, level]) => level !== "none");
  const given = scopes.flatMap(([scope, level]) => {
    const name = scope.replaceAll("-", "_");
    const got = LEVELS[Math.min(rankOf(level), rankOf(granted[name]))] ?? "none";
    return got === "none" ? [] : [[name, got] as const];
  });
  // Every App can read metadata.
  const permissions: Grants = Object.fromEntries([["metadata", "read"], ...given]);
  const isByName = wanted !== undefined && !isAll(wanted);
  const lacking = scopes.filter(
    ([scope, level]) => rankOf(level) > rankOf(permissions[scope.replaceAll("-", "_")]),
  );
  // Identity tokens are no permission of an App.
  const missing = isByName
    ? lacking
        .filter(([scope]) => scope !== "id-token")
        .map(([scope, level]) => `${scope}: ${level}`)
    : [];
  return { permissions, missing };
}

/** `admin` is for the App alone: a job gets `write` at most. */
function rankOf(level: string | undefined): number {
  return level === "admin" ? LEVELS.indexOf("write") : Math.max(0, LEVELS.indexOf(level ?? "none"));
}

/** `read-all` and `write-all` name what hardly an App has. */
function isAll(wanted: Grants): boolean {
  return Object.keys(expandPermissions("read-all")).every((scope) => scope in wanted);
}
