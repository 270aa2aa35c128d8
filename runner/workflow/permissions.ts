import type { Permissions } from "./workflow.ts";

const SCOPES = [
  "actions",
  "artifact-metadata",
  "attestations",
  "checks",
  "code-quality",
  "contents",
  "deployments",
  "discussions",
  "drives",
  "id-token",
  "issues",
  "models",
  "packages",
  "pages",
  "pull-requests",
  "repository-projects",
  "security-events",
  "statuses",
  "vulnerability-alerts",
];
const WRITE_ONLY: ReadonlySet<string> = new Set(["id-token"]);
const READ_ONLY: ReadonlySet<string> = new Set(["models", "vulnerability-alerts"]);

/** What a `permissions` value grants: `metadata` can always be read, what is not named is not granted. */
export function expandPermissions(value: string | Permissions): Permissions {
  if (typeof value !== "string") return { ...value, metadata: "read" };
  const wanted = value === "write-all" ? "write" : "read";
  const granted = SCOPES.filter((scope) => wanted === "write" || !WRITE_ONLY.has(scope)).map(
    (scope) => [scope, READ_ONLY.has(scope) ? "read" : wanted],
  );
  return Object.fromEntries([...granted, ["metadata", "read"]]);
}
