import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { appRoutes } from "./app-endpoints.ts";
import { checkRunRoutes } from "./check-run-endpoints.ts";
import { checkSuiteRoutes } from "./check-suite-endpoints.ts";
import { contentsRoutes } from "./contents-endpoints.ts";
import { gitRoutes } from "./git-endpoints.ts";
import { handleRequest, type RawReply, refuse } from "./handle-request.ts";
import type { Hub } from "./hub.ts";
import { pullRoutes } from "./pull-endpoints.ts";
import { notFound, Refusal } from "./refusal.ts";
import { repositoryRoutes } from "./repository-endpoints.ts";
import type { Route } from "./route.ts";
import { runRoutes } from "./run-endpoints.ts";
import { serveArchive } from "./serve-archive.ts";
import { isGitPath, serveGit } from "./smart-http.ts";
import { workflowRoutes } from "./workflow-endpoints.ts";

/** A server that listens; disposing of it ends its connections and waits for what it was doing. */
export type HttpServer = AsyncDisposable & { readonly url: string };

const API = "/api/v3";
const MAX_BODY_BYTES = 25 * 1024 * 1024;

const ROUTES: readonly Route[] = [
  ...appRoutes,
  ...repositoryRoutes,
  ...contentsRoutes,
  ...gitRoutes,
  ...runRoutes,
  ...workflowRoutes,
  ...checkRunRoutes,
  ...checkSuiteRoutes,
  ...pullRoutes,
];

/** Listens on a free port of this machine only. Requests wait until there is a hub. */
export async function listen(hub: Promise<Hub>): Promise<HttpServer> {
  const underWay = new Set<Promise<void>>();
  const server = createServer((request, response) => {
    const answering = respond(hub, request, response).finally(() => underWay.delete(answering));
    underWay.add(answering);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
      await Promise.all(underWay);
    },
  };
}

/** Never rejects: what fails in here is the hub's fault and answered 500. */
async function respond(
  built: Promise<Hub>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const hub = await built;
    const url = new URL(request.url ?? "/", hub.url);
    if (isGitPath(url.pathname)) await serveGit(hub, url, request, response);
    else send(request, response, await answer(hub, url, request));
  } catch (error) {
    const refusal =
      error instanceof Refusal ? error : new Refusal(500, `The hub failed: ${String(error)}`);
    if (!response.headersSent) send(request, response, refuse(refusal));
    else response.end();
  }
}

async function answer(hub: Hub, url: URL, request: IncomingMessage): Promise<RawReply> {
  if (url.pathname.startsWith("/codeload/")) return await serveArchive(hub, url);
  if (!url.pathname.startsWith(`${API}/`)) return refuse(notFound());
  const { authorization, accept, "if-none-match": ifNoneMatch } = request.headers;
  return await handleRequest(hub, ROUTES, {
    method: request.method ?? "GET",
    path: url.pathname.slice(API.length),
    url,
    headers: { authorization, accept, "if-none-match": ifNoneMatch },
    body: await readBytes(request),
  });
}

async function readBytes(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new Refusal(413, "Payload Too Large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  { status, headers, bytes }: RawReply,
): void {
  const hasNoBody = status === 204 || status === 304;
  response.writeHead(status, {
    ...headers,
    "X-GitHub-Request-Id": randomUUID(),
    ...(!hasNoBody && { "Content-Length": String(bytes.length) }),
    // What has not been read of the request must not become the next one.
    ...(!request.complete && { Connection: "close" }),
  });
  response.end(request.method === "HEAD" || hasNoBody ? undefined : bytes);
}
