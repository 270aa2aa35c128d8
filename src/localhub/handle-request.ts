import { createHash } from "node:crypto";
import { authorize, identify } from "./credentials.ts";
import { type Credential, findRepository, type Hub } from "./hub.ts";
import { limitHeaders, limitOf, spend } from "./rate-limit.ts";
import { notFound, Refusal } from "./refusal.ts";
import type { Reply, Route } from "./route.ts";

/** A request to the API; `path` begins after `/api/v3`. */
export type ApiRequest = {
  readonly method: string;
  readonly path: string;
  readonly url: URL;
  readonly headers: { readonly [name: string]: string | undefined };
  readonly body: Buffer;
};

/** Bytes as they go out. */
export type RawReply = {
  readonly status: number;
  readonly headers: { readonly [name: string]: string };
  readonly bytes: Buffer;
};

type Found = { readonly route: Route; readonly params: { readonly [name: string]: string } };

const DOCUMENTATION = "https://docs.github.com/rest";
/** Asking how much remains is free. */
const FREE = "/rate_limit";

/** Answers one request to the API: faults, who it is, limits, the endpoint, `ETag`. Never rejects for what the caller did. */
export async function handleRequest(
  hub: Hub,
  routes: readonly Route[],
  request: ApiRequest,
): Promise<RawReply> {
  const { fault, retryAfterSeconds } = hub.faults.ofRequest(request.method, request.path);
  if (fault === "tooMany") {
    const headers = { "Retry-After": String(retryAfterSeconds) };
    return refuse(new Refusal(429, "You have exceeded a secondary rate limit.", { headers }));
  }
  if (fault === "error") return refuse(new Refusal(502, "Server Error"));
  const reply = await answer(hub, routes, request);
  return fault === "errorAfter" ? refuse(new Refusal(502, "Server Error")) : reply;
}

async function answer(hub: Hub, routes: readonly Route[], request: ApiRequest): Promise<RawReply> {
  let shared: { [name: string]: string } = {};
  try {
    const credential = identify(hub, request.headers.authorization);
    const limit = limitOf(hub, credential);
    const isFree = request.path === FREE;
    shared = limitHeaders(limit);
    if (!isFree) spend(limit, credential);
    shared = limitHeaders(limit);

    const reply = toRaw(await call(hub, routes, request, credential));
    const etag = request.method === "GET" && reply.status === 200 ? etagOf(reply.bytes) : undefined;
    if (etag === undefined) return { ...reply, headers: { ...shared, ...reply.headers } };
    if (matches(request.headers["if-none-match"], etag)) {
      limit.used -= 1; // what has not changed costs nothing
      return {
        ...{ status: 304, headers: { ...limitHeaders(limit), ETag: etag } },
        bytes: Buffer.alloc(0),
      };
    }
    return { ...reply, headers: { ...shared, ...reply.headers, ETag: etag } };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const reply = refuse(error);
    return { ...reply, headers: { ...shared, ...reply.headers } };
  }
}

async function call(
  hub: Hub,
  routes: readonly Route[],
  request: ApiRequest,
  credential: Credential,
): Promise<Reply> {
  const { method, path, url, headers } = request;
  const found = findRoute(routes, method === "HEAD" ? "GET" : method, path);
  if (!found) throw notFound();
  const { route, params } = found;
  const repository =
    params.repo === undefined ? undefined : findRepository(hub, `${params.owner}/${params.repo}`);
  authorize(hub, route.access, credential, repository);
  const body = readJson(request.body);
  const accept = headers.accept ?? "";
  return await route.handle({
    ...{ hub, credential, params, url, body, accept },
    query: url.searchParams,
  });
}

function findRoute(routes: readonly Route[], method: string, path: string): Found | undefined {
  const segments = path.split("/");
  for (const route of routes) {
    const params = route.method === method ? matchPath(route.path.split("/"), segments) : undefined;
    if (params) return { route, params };
  }
  return undefined;
}

function matchPath(
  pattern: readonly string[],
  segments: readonly string[],
): { [name: string]: string } | undefined {
  const params: { [name: string]: string } = {};
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index];
    if (part.startsWith("*")) {
      params[part.slice(1)] = segments.slice(index).map(decodeSegment).join("/");
      return params;
    }
    if (segment === undefined) return undefined;
    if (part.startsWith(":")) {
      if (segment === "") return undefined;
      params[part.slice(1)] = decodeSegment(segment);
    } else if (part !== segment) return undefined;
  }
  return pattern.length === segments.length ? params : undefined;
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new Refusal(400, "Bad Request");
  }
}

function readJson(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  try {
    return JSON.parse(body.toString());
  } catch {
    throw new Refusal(400, "Problems parsing JSON");
  }
}

function toRaw({ status, body, raw, headers = {} }: Reply): RawReply {
  if (raw) return { status, headers: { ...headers, "Content-Type": raw.type }, bytes: raw.bytes };
  if (body === undefined) return { status, headers, bytes: Buffer.alloc(0) };
  return {
    status,
    headers: { ...headers, "Content-Type": "application/json; charset=utf-8" },
    bytes: Buffer.from(JSON.stringify(body)),
  };
}

/** An error as GitHub words it. */
export function refuse({ status, message, errors, headers }: Refusal): RawReply {
  const body = {
    message,
    ...(errors !== undefined && { errors }),
    documentation_url: DOCUMENTATION,
    status: String(status),
  };
  return toRaw({ status, body, headers });
}

function etagOf(bytes: Buffer): string {
  return `W/"${createHash("sha256").update(bytes).digest("hex")}"`;
}

function matches(header: string | undefined, etag: string): boolean {
  return header?.split(",").some((given) => given.trim() === etag || given.trim() === "*") ?? false;
}
