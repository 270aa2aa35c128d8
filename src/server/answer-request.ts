import type { IncomingMessage, ServerResponse } from "node:http";
import type { Log } from "../log.ts";
import { findRoute, type HttpReply, type Route } from "./route.ts";

const DEFAULT_MAX_BODY_BYTES = 1024 * 1024;
/** How long a sender that was refused may still send what nobody reads, so that it gets to see the answer. */
const LINGER_MS = 1_000;

/** Answers one request. Never rejects: what fails in a route is answered 500 and logged. */
export async function answerRequest(
  routes: readonly Route[],
  request: IncomingMessage,
  response: ServerResponse,
  log: Log,
): Promise<void> {
  try {
    const reply = await replyTo(routes, request);
    if (reply) await send(request, response, reply);
  } catch (error) {
    log.error({ err: error, method: request.method, path: pathOf(request) }, "request failed");
    const reply = { status: 500, body: { message: "Berth failed to answer; its log says why." } };
    await send(request, response, reply);
  }
}

/** `undefined` when the sender went away meanwhile. */
async function replyTo(
  routes: readonly Route[],
  request: IncomingMessage,
): Promise<HttpReply | undefined> {
  const { method = "GET", headers } = request;
  const path = pathOf(request);
  const found = findRoute(routes, method, path);
  if (!("route" in found)) return noRoute(found.methods, method, path);

  const limitBytes = found.route.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES;
  const body = await readBody(request, limitBytes);
  if (body === "aborted") return undefined;
  if (body === "too large") {
    const message = `The body is larger than ${limitBytes / 1024 / 1024} MB.`;
    return { status: 413, body: { message } };
  }
  return await found.route.handle({ params: found.params, query: queryOf(request), headers, body });
}

function noRoute(methods: readonly string[], method: string, path: string): HttpReply {
  if (methods.length === 0) return { status: 404, body: { message: `There is no ${path}.` } };
  const allow = methods.join(", ");
  return {
    status: 405,
    body: { message: `${path} takes ${allow}, not ${method}.` },
    headers: { Allow: allow },
  };
}

async function readBody(
  request: IncomingMessage,
  limitBytes: number,
): Promise<Buffer | "too large" | "aborted"> {
  if (Number(request.headers["content-length"] ?? 0) > limitBytes) return "too large";
  const { promise, resolve } = Promise.withResolvers<Buffer | "too large" | "aborted">();
  const chunks: Buffer[] = [];
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= limitBytes) chunks.push(chunk);
    else resolve("too large");
  });
  request.on("end", () => resolve(Buffer.concat(chunks)));
  request.on("error", () => resolve("aborted"));
  request.on("close", () => resolve("aborted"));
  const body = await promise;
  request.removeAllListeners("data");
  return body;
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  { status, body, headers }: HttpReply,
): Promise<void> {
  if (response.destroyed || response.headersSent) return;
  const bytes = Buffer.from(`${JSON.stringify(body)}\n`);
  response.writeHead(status, {
    "Content-Type": "application/json; charset=utf-8",
    "Content-Length": String(bytes.length),
    "X-Content-Type-Options": "nosniff",
    ...headers,
    // What has not been read of the request must not become the next one.
    ...(!request.complete && { Connection: "close" }),
  });
  const gone = new Promise<void>((resolve) => response.on("close", resolve));
  if (!request.complete) {
    response.write(bytes);
    await senderSeesIt(request);
    response.end();
  } else response.end(request.method === "HEAD" ? undefined : bytes);
  await gone;
}

/** A connection that is closed with unread bytes is reset, and the answer lost with it: so throw away what comes, for a while. */
async function senderSeesIt(request: IncomingMessage): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, LINGER_MS);
  request.on("close", resolve).on("end", resolve).resume();
  await promise;
  clearTimeout(timer);
}

function pathOf({ url = "/" }: IncomingMessage): string {
  return url.split("?", 1)[0] ?? "/";
}

function queryOf({ url = "/" }: IncomingMessage): URLSearchParams {
  const at = url.indexOf("?");
  return new URLSearchParams(at < 0 ? "" : url.slice(at + 1));
}
