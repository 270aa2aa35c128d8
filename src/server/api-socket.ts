import { once } from "node:events";
import { chmod, lstat, unlink } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { BerthError, textOf } from "../../runner/errors.ts";
import type { Log } from "../log.ts";
import { answerRequest } from "./answer-request.ts";
import { apiRoutes } from "./api-routes.ts";
import type { ServiceApi } from "./service-api.ts";
import { streamLog } from "./stream-log.ts";

/** The socket's name in the service's folder. */
export const API_SOCKET = "api.sock";

/** `sun_path` of Linux, less its NUL; a longer path would be cut without a word. */
const MAX_PATH_BYTES = 107;
/** How long answers may still take once the service ends. */
const CLOSE_GRACE_MS = 2_000;

/**
 * Answers the commands of this machine's user over a Unix socket that only they may open. A socket that a dead service left is replaced.
 * Disposing of it ends logs that are followed, answers what was asked, and removes the socket.
 *
 * @throws {BerthError} `STORE_UNUSABLE` when the path is too long or cannot be used, or a service listens there.
 */
export async function startApiSocket(options: {
  readonly path: string;
  readonly api: ServiceApi;
  readonly log: Log;
}): Promise<AsyncDisposable> {
  const { path, api, log } = options;
  const closing = new AbortController();
  const underWay = new Set<Promise<void>>();
  const routes = apiRoutes(api);

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const isLog = await streamLog(api, { request, response, log, signal: closing.signal });
    if (!isLog) await answerRequest(routes, request, response, log);
  }

  const server = createServer((request, response) => {
    const answering = answer(request, response).finally(() => underWay.delete(answering));
    underWay.add(answering);
  });
  await listen(server, path);

  return {
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close(); // removes the socket, too
      closing.abort();
      const grace = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
      await Promise.allSettled(underWay);
      server.closeAllConnections();
      await closed;
      clearTimeout(grace);
    },
  };
}

async function listen(server: Server, path: string): Promise<void> {
  const bytes = Buffer.byteLength(path);
  if (bytes > MAX_PATH_BYTES) {
    throw unusable(path, `its path has ${bytes} bytes, and a socket's may have ${MAX_PATH_BYTES}`, {
      remedy: 'Set "store: { path: … }" in berth.yml to a shorter path.',
    });
  }
  await removeStale(path);
  // Nobody else may connect between its making and a later change of its mode.
  const before = process.umask(0o177);
  try {
    server.listen(path);
  } finally {
    process.umask(before);
  }
  try {
    await once(server, "listening");
    await chmod(path, 0o600);
  } catch (cause) {
    throw unusable(path, textOf(cause), { cause });
  }
}

async function removeStale(path: string): Promise<void> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats === undefined) return;
  if (!stats.isSocket()) {
    throw unusable(path, "something else has that name", { remedy: "Move it away." });
  }
  if (await answers(path)) {
    throw unusable(path, "another berth serve answers there", {
      remedy: 'End that one, or give this one a folder of its own with "store: { path: … }".',
    });
  }
  await unlink(path).catch((cause: unknown) => {
    throw unusable(path, textOf(cause), { cause });
  });
}

async function answers(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false; // its service is dead; if not, listening fails and says why
  } finally {
    socket.destroy();
  }
}

function unusable(
  path: string,
  why: string,
  { remedy, cause }: { readonly remedy?: string; readonly cause?: unknown },
): BerthError {
  return new BerthError("STORE_UNUSABLE", {
    message: `Cannot listen for commands at ${path}: ${why}.`,
    remedy:
      remedy ?? "Look at that folder: the user that runs the service must be able to write there.",
    cause,
  });
}
