import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { BerthError, textOf } from "../../runner/errors.ts";
import type { Log } from "../log.ts";
import { answerRequest } from "./answer-request.ts";
import type { Route } from "./route.ts";

export type ListenAddress =
  | { readonly host: string; readonly port: number }
  /** A socket in the file system. */
  | { readonly path: string };

/** A server that listens. Disposing of it takes no more requests, answers those it has, and ends. */
export type ServiceServer = AsyncDisposable & {
  /** `http://HOST:PORT`; of a socket its path. */
  readonly url: string;
  /** The port that was picked where 0 was asked for; 0 of a socket. */
  readonly port: number;
};

const HEADERS_TIMEOUT_MS = 10_000;
/** For a whole request: 25 MB at 7 Mbit/s. */
const REQUEST_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_MS = 65_000; // longer than a usual proxy keeps a connection that it may use again
const MAX_HEADER_BYTES = 16 * 1024;
/** How long answers that are being worked on may still take once the server is to end. */
const CLOSE_GRACE_MS = 5_000;

/**
 * Listens for requests and answers each by its route.
 *
 * @throws {BerthError} `PORT_IN_USE` where the address is taken or may not be used.
 */
export async function startServer(options: {
  readonly listen: ListenAddress;
  readonly routes: readonly Route[];
  readonly log: Log;
  /** For a whole request, in milliseconds. */
  readonly requestTimeoutMs?: number;
}): Promise<ServiceServer> {
  const { listen, routes, log, requestTimeoutMs = REQUEST_TIMEOUT_MS } = options;
  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: Math.min(HEADERS_TIMEOUT_MS, requestTimeoutMs),
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: Math.min(1_000, requestTimeoutMs),
    keepAliveTimeout: KEEP_ALIVE_MS,
  });
  const underWay = new Set<Promise<void>>();
  let isClosing = false;
  server.on("request", (request, response) => {
    if (isClosing) response.setHeader("Connection", "close");
    const answering = answerRequest(routes, request, response, log);
    underWay.add(answering);
    void answering.finally(() => underWay.delete(answering));
  });

  await openSocket(server, listen);
  return {
    ...addressOf(server),
    async [Symbol.asyncDispose]() {
      isClosing = true;
      const closed = once(server, "close");
      server.close();
      const grace = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
      await Promise.all(underWay);
      server.closeIdleConnections();
      await closed;
      clearTimeout(grace);
    },
  };
}

async function openSocket(server: Server, listen: ListenAddress): Promise<void> {
  try {
    server.listen(listen);
    await once(server, "listening");
  } catch (cause) {
    throw cannotListen(listen, cause);
  }
}

function addressOf(server: Server): { url: string; port: number } {
  const address = server.address() as AddressInfo | string;
  if (typeof address === "string") return { url: address, port: 0 };
  const host = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return { url: `http://${host}:${address.port}`, port: address.port };
}

function cannotListen(listen: ListenAddress, cause: unknown): BerthError {
  const where = "path" in listen ? listen.path : `${listen.host}:${listen.port}`;
  const isSystem = typeof cause === "object" && cause !== null && "code" in cause;
  const code = isSystem ? cause.code : undefined;
  const { reason, remedy } = explain(code, cause);
  return new BerthError("PORT_IN_USE", {
    message: `The address ${where} cannot be listened on: ${reason}.`,
    remedy,
    cause,
  });
}

function explain(code: unknown, cause: unknown): { reason: string; remedy: string } {
  switch (code) {
    case "EADDRINUSE":
      return {
        reason: "another process listens there, perhaps an earlier berth serve",
        remedy: 'End that one, or set "listen" in berth.yml to a free port; port 0 picks one.',
      };
    case "EACCES":
      return {
        reason: "this user may not",
        remedy: 'Set "listen" in berth.yml to a port from 1024 on, behind a proxy if need be.',
      };
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return {
        reason: "this machine has no such address",
        remedy: 'Set "listen" in berth.yml to an address of this machine, such as 127.0.0.1:8010.',
      };
    default:
      return {
        reason: textOf(cause),
        remedy: 'Set "listen" in berth.yml to an address that can be listened on.',
      };
  }
}
