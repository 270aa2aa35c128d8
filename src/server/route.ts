import type { IncomingHttpHeaders } from "node:http";

/** A request whose body has been read whole. */
export type HttpRequest = {
  readonly params: { readonly [name: string]: string };
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
};

export type HttpReply = {
  readonly status: number;
  /** Sent as JSON. */
  readonly body: unknown;
  readonly headers?: { readonly [name: string]: string };
};

/** One address of the server. */
export type Route = {
  readonly method: "GET" | "POST";
  /** `/jobs/:id`: a name after a colon stands for one segment. */
  readonly path: string;
  /** Default: 1 MB. */
  readonly maxBodyBytes?: number;
  handle(request: HttpRequest): Promise<HttpReply> | HttpReply;
};

/** What a path and method lead to: a route with what its names stand for, or the methods that the path has instead. */
export type Found =
  | { readonly route: Route; readonly params: { readonly [name: string]: string } }
  | { readonly methods: readonly string[] };

/** HEAD is answered as GET is. */
export function findRoute(routes: readonly Route[], method: string, path: string): Found {
  const wanted = method === "HEAD" ? "GET" : method;
  const methods: string[] = [];
  for (const route of routes) {
    const params = matchPath(route.path, path);
    if (params && route.method === wanted) return { route, params };
    if (params) methods.push(route.method);
  }
  return { methods };
}

function matchPath(pattern: string, path: string): { [name: string]: string } | undefined {
  const parts = pattern.split("/");
  const segments = path.split("/");
  if (parts.length !== segments.length) return undefined;
  const params: { [name: string]: string } = {};
  for (const [index, part] of parts.entries()) {
    const segment = decode(segments[index] ?? "");
    if (segment === undefined) return undefined;
    if (part.startsWith(":") && segment !== "") params[part.slice(1)] = segment;
    else if (part !== segment) return undefined;
  }
  return params;
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined; // no path of ours is written so
  }
}
