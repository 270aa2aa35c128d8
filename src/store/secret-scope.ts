import { BerthError } from "../../runner/errors.ts";

/** For whom a secret is: all repositories of an organisation or user, one repository, or one environment of it. */
export type SecretScope =
  | { readonly organisation: string }
  | { readonly repository: string; readonly environment?: string | undefined };

/** A scope as the table's columns have it; what a scope does not narrow is empty. */
export type ScopeColumns = {
  readonly owner: string;
  readonly repository: string;
  readonly environment: string;
};

/** @throws {BerthError} `USAGE` when it names no organisation or repository. */
export function scopeColumns(scope: SecretScope): ScopeColumns {
  if ("organisation" in scope) {
    if (!/^[\w.-]+$/.test(scope.organisation)) {
      throw usage(
        `${scope.organisation} is no name of an organisation.`,
        "Write it as in its URL.",
      );
    }
    return { owner: scope.organisation, repository: "", environment: "" };
  }
  const [, owner, repository] = /^([\w.-]+)\/([\w.-]+)$/.exec(scope.repository) ?? [];
  if (owner === undefined || repository === undefined) {
    throw usage(`${scope.repository} is no name of a repository.`, "Write it as OWNER/NAME.");
  }
  return { owner, repository, environment: scope.environment ?? "" };
}

export function scopeOf({ owner, repository, environment }: ScopeColumns): SecretScope {
  if (repository === "") return { organisation: owner };
  const full = `${owner}/${repository}`;
  return environment === "" ? { repository: full } : { repository: full, environment };
}

/**
 * A secret's name as it is kept: GitHub's are the same in capitals and small letters.
 * https://docs.github.com/en/actions/reference/security/secrets#naming-your-secrets
 *
 * @throws {BerthError} `USAGE` with the rule that it breaks.
 */
export function secretName(name: string): string {
  const upper = name.toUpperCase();
  const rule = /^[A-Z_][A-Z0-9_]*$/.test(upper)
    ? upper.startsWith("GITHUB_") && "does not begin with GITHUB_"
    : "has letters, digits and _ only, and no digit at its start";
  if (rule) throw usage(`${name} is no name of a secret: one ${rule}.`, "Choose another name.");
  return upper;
}

function usage(message: string, remedy: string): BerthError {
  return new BerthError("USAGE", { message, remedy });
}
