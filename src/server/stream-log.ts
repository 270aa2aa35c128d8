import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { textOf } from "../../runner/errors.ts";
import type { Log } from "../log.ts";
import { findJob } from "./api-routes.ts";
import { findRoute, type HttpReply } from "./route.ts";
import type { ServiceApi } from "./service-api.ts";

const LOG_ROUTE = {
  method: "GET",
  path: "/api/jobs/:id/log",
  handle: () => ({ status: 500, body: { message: "A log is sent as a stream." } }),
} as const;

/**
 * Answers a request for a job's log, `?follow=1` until the job ends: text, line by line, no faster than it is read. False when the
 * request is for something else. Never rejects.
 */
export async function streamLog(
  api: ServiceApi,
  {
    request,
    response,
    log,
    signal,
  }: {
    readonly request: IncomingMessage;
    readonly response: ServerResponse;
    readonly log: Log;
    /** The service ends. */
    readonly signal: AbortSignal;
  },
): Promise<boolean> {
  const url = new URL(request.url ?? "/", "http://localhost");
  const found = findRoute([LOG_ROUTE], request.method ?? "GET", url.pathname);
  if (!("route" in found) || request.method !== "GET") return false;
  const away = new AbortController();
  response.on("close", () => away.abort());
  request.resume();
  try {
    const job = await findJob(api, found.params.id ?? "");
    const follow = url.searchParams.get("follow") === "1";
    const end = AbortSignal.any([signal, away.signal]);
    const lines = "status" in job ? undefined : await api.log(job.id, { follow, signal: end });
    if ("status" in job) refuse(response, job);
    else if (lines === undefined) refuse(response, noLog(job.id));
    else await write(response, lines, end);
  } catch (error) {
    fail(response, error, { log, isEnding: signal.aborted || away.signal.aborted });
  }
  return true;
}

async function write(
  response: ServerResponse,
  lines: AsyncIterable<string>,
  signal: AbortSignal,
): Promise<void> {
  response.writeHead(200, { "Content-Type": "text/plain; charset=utf-8" });
  // Who follows a quiet job learns at once that it was found.
  response.flushHeaders();
  for await (const line of lines) {
    if (!response.write(`${line}\n`)) await once(response, "drain", { signal });
  }
  signal.throwIfAborted();
  response.end();
}

/** What is cut off must not look whole. */
function fail(
  response: ServerResponse,
  error: unknown,
  { log, isEnding }: { readonly log: Log; readonly isEnding: boolean },
): void {
  if (!isEnding) log.error({ error: textOf(error) }, "log of a job not sent");
  if (response.headersSent) response.destroy();
  else refuse(response, { status: 500, body: { message: "Berth failed to read that log." } });
}

function noLog(id: string): HttpReply {
  return { status: 404, body: { message: `Job ${id} has no log: it has not started.` } };
}

function refuse(response: ServerResponse, { status, body }: HttpReply): void {
  response.writeHead(status, { "Content-Type": "application/json; charset=utf-8" });
  response.end(`${JSON.stringify(body)}\n`);
}
