import { createVerify, randomBytes } from "node:crypto";
import { z } from "zod";
import {
  type Credential,
  covers,
  type Hub,
  type Installation,
  installationOf,
  type Repository,
} from "./hub.ts";
import type { Grants } from "./hub-facts.ts";
import { notFound, Refusal } from "./refusal.ts";
import type { Access } from "./route.ts";

const Claims = z.object({
  iss: z.union([z.string(), z.number()]),
  exp: z.number(),
  iat: z.number(),
});
const JwtHeader = z.object({ alg: z.string() });

const MAX_JWT_SECONDS = 10 * 60;
/** GitHub forgives clocks a little. */
const LEEWAY_SECONDS = 60;
const TOKEN_LIFE_MS = 60 * 60_000;
const LEVELS = ["read", "write", "admin"];

/**
 * Who sends a request.
 *
 * @param authorization The header: `Bearer`, `token` or `Basic` (as git sends it, the password being the token).
 * @throws {Refusal} 401 for a token or JWT that is wrong or has expired.
 */
export function identify(hub: Hub, authorization: string | undefined): Credential {
  if (!authorization) return { kind: "anonymous" };
  const [scheme = "", value = ""] = authorization.split(/ +/, 2);
  if (scheme.toLowerCase() === "basic") {
    const [, password = ""] =
      /^[^:]*:([\s\S]*)$/.exec(Buffer.from(value, "base64").toString()) ?? [];
    return findToken(hub, password);
  }
  if (!["bearer", "token"].includes(scheme.toLowerCase())) throw badCredentials();
  return value.split(".").length === 3 ? readJwt(hub, value) : findToken(hub, value);
}

/** A new installation token, good for an hour. */
export function issueToken(
  hub: Hub,
  installation: Installation,
  wanted: { readonly repositories?: readonly string[]; readonly permissions?: Grants } = {},
): Extract<Credential, { kind: "installation" }> {
  const { repositories = installation.repositories, permissions = installation.permissions } =
    wanted;
  const names = repositories === "all" ? [] : repositories;
  const missing = names.find(
    (name) =>
      !covers(installation.repositories, name) ||
      !hub.repositories.has(`${installation.account.login}/${name}`.toLowerCase()),
  );
  if (missing !== undefined) {
    throw new Refusal(
      422,
      "There is at least one repository that does not exist or is not accessible to the parent installation.",
    );
  }
  const tooMuch = Object.entries(permissions).find(
    ([name, level]) => !reaches(installation.permissions, name, level),
  );
  if (tooMuch) {
    throw new Refusal(422, "The permissions requested are not granted to this installation.");
  }
  const credential = {
    kind: "installation",
    token: `ghs_${randomBytes(27).toString("base64url")}`,
    installation,
    repositories,
    permissions: { metadata: "read", ...permissions },
    expiresAtMs: hub.now().getTime() + TOKEN_LIFE_MS,
  } as const;
  hub.tokens.set(credential.token, credential);
  return credential;
}

/**
 * Lets a request through an endpoint's door.
 *
 * @throws {Refusal} 401 without the credential it takes, 404 for a repository that the caller may not know of, 403 without the
 * permission.
 */
export function authorize(
  hub: Hub,
  access: Access,
  credential: Credential,
  repository: Repository | undefined,
): void {
  switch (access.for) {
    case "anyone":
      return;
    case "app":
      if (credential.kind === "app") return;
      throw new Refusal(401, "A JSON web token could not be decoded");
    case "installation":
      if (credential.kind === "installation") return;
      throw credential.kind === "anonymous"
        ? new Refusal(401, "Requires authentication")
        : new Refusal(
            403,
            "You must authenticate with an installation access token in order to list repositories for an installation.",
          );
    case "repository":
      authorizeRepository(hub, access, credential, repository);
      return;
    default:
      access satisfies never;
  }
}

/** Whether someone may read a repository at all. */
export function canSee(hub: Hub, credential: Credential, repository: Repository): boolean {
  switch (credential.kind) {
    case "user":
      return true;
    case "installation":
      return !repository.isPrivate || isInScope(hub, credential, repository);
    case "app":
    case "anonymous":
      return !repository.isPrivate;
    default:
      return credential satisfies never;
  }
}

function authorizeRepository(
  hub: Hub,
  { permission, level }: Extract<Access, { for: "repository" }>,
  credential: Credential,
  repository: Repository | undefined,
): void {
  if (!repository || !canSee(hub, credential, repository)) throw notFound();
  if (credential.kind === "user") return;
  if (credential.kind === "app") {
    throw new Refusal(401, "Requires authentication with an installation access token");
  }
  if (credential.kind === "anonymous") {
    if (level === "read") return;
    throw new Refusal(401, "Requires authentication");
  }
  // What is public can be read with any token.
  const isPublicRead = level === "read" && !repository.isPrivate;
  const isInside = isInScope(hub, credential, repository);
  const isGranted = isInside && reaches(credential.permissions, permission, level);
  if (isGranted || (isPublicRead && (!isInside || permission === "contents"))) return;
  throw new Refusal(403, "Resource not accessible by integration", {
    headers: { "X-Accepted-GitHub-Permissions": `${permission}=${level}` },
  });
}

function isInScope(
  hub: Hub,
  { installation, repositories }: Extract<Credential, { kind: "installation" }>,
  repository: Repository,
): boolean {
  return installationOf(hub, repository) === installation && covers(repositories, repository.name);
}

function reaches(granted: Grants, permission: string, level: string): boolean {
  return LEVELS.indexOf(granted[permission] ?? "") >= LEVELS.indexOf(level);
}

function findToken(hub: Hub, token: string): Credential {
  const credential = hub.tokens.get(token);
  if (!credential) throw badCredentials();
  if (credential.kind === "installation" && credential.expiresAtMs <= hub.now().getTime()) {
    throw badCredentials();
  }
  return credential;
}

function readJwt(hub: Hub, jwt: string): Credential {
  const [header = "", claims = "", signature = ""] = jwt.split(".");
  const isRs256 = JwtHeader.safeParse(decode(header)).data?.alg === "RS256";
  const isSigned = createVerify("RSA-SHA256")
    .update(`${header}.${claims}`)
    .verify(hub.app.publicKey, Buffer.from(signature, "base64url"));
  const parsed = Claims.safeParse(decode(claims)).data;
  if (!isRs256 || !isSigned || !parsed) {
    throw new Refusal(401, "A JSON web token could not be decoded");
  }
  const { iss, exp, iat } = parsed;
  const now = hub.now().getTime() / 1000;
  if (![String(hub.app.id), hub.app.clientId].includes(String(iss))) {
    throw new Refusal(404, "Integration not found");
  }
  if (exp <= now - LEEWAY_SECONDS) {
    throw new Refusal(
      401,
      "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
    );
  }
  if (exp - now > MAX_JWT_SECONDS + LEEWAY_SECONDS) {
    throw new Refusal(401, "'Expiration time' claim ('exp') is too far in the future");
  }
  if (iat > now + LEEWAY_SECONDS) {
    throw new Refusal(
      401,
      "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
    );
  }
  return { kind: "app" };
}

function decode(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, "base64url").toString());
  } catch {
    return undefined; // no JWT at all; the schema says no
  }
}

function badCredentials(): Refusal {
  return new Refusal(401, "Bad credentials");
}
