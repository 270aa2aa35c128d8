import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { homedir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { z } from "zod";
import { BerthError, textOf } from "../../runner/errors.ts";
import { findConfig } from "../config/find-config.ts";
import { configInvalid, readConfig } from "../config/read-config.ts";
import { API_SOCKET } from "../server/api-socket.ts";
import { stateFolder, storeFolder } from "../store/state-folder.ts";

/** The service that runs on this machine, as its commands ask it. */
export type Service = {
  /** @throws {BerthError} `SERVICE_NOT_RUNNING`; `USAGE` for what it does not know, with what it does. */
  ask<T>(method: "GET" | "POST", path: string, answer: z.ZodType<T>, body?: object): Promise<T>;
  /** Text, line by line. @throws the same, and when it is cut off. */
  lines(path: string): AsyncIterable<string>;
};

const Refusal = z.object({ message: z.string(), candidates: z.array(z.string()).default([]) });

/** The service whose configuration this is; without a name the one that is found, else the one in the usual folder. */
export function findService(named: string | undefined, signal: AbortSignal): Service {
  const socketPath = socketOf(named);

  async function send(
    method: string,
    path: string,
    body: object | undefined,
  ): Promise<IncomingMessage> {
    const request = httpRequest({ socketPath, method, path, signal, agent: false });
    request.end(body === undefined ? undefined : JSON.stringify(body));
    const response = await answerTo(request, { socketPath, signal });
    if (response.statusCode !== 200) throw await refused(response);
    return response;
  }

  return {
    async ask(method, path, answer, body) {
      return answer.parse(await json(await send(method, path, body)));
    },
    async *lines(path) {
      const response = await send("GET", path, undefined);
      yield* linesOf(response, () => cutOff(socketPath));
    },
  };
}

/** Of a stream of text; the last one may lack its end. */
async function* linesOf(text: IncomingMessage, cutOff: () => BerthError): AsyncIterable<string> {
  let rest = "";
  text.setEncoding("utf8");
  try {
    for await (const chunk of text as AsyncIterable<string>) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
    }
  } catch (cause) {
    throw text.complete ? cause : cutOff();
  }
  if (rest !== "") yield rest;
}

async function answerTo(
  request: ReturnType<typeof httpRequest>,
  { socketPath, signal }: { readonly socketPath: string; readonly signal: AbortSignal },
): Promise<IncomingMessage> {
  try {
    const [response] = (await once(request, "response")) as [IncomingMessage];
    return response;
  } catch (cause) {
    signal.throwIfAborted();
    throw notRunning(socketPath, cause);
  }
}

function socketOf(named: string | undefined): string {
  const { env } = process;
  const places = { cwd: process.cwd(), env, home: homedir() };
  const file = configFile(named, places);
  const read = file === undefined ? undefined : readConfig(file, places);
  if (read !== undefined && "problems" in read) throw configInvalid(read.problems);
  const folder = storeFolder(read?.config.store ?? {}, stateFolder(env, process.getuid?.()));
  return join(folder, API_SOCKET);
}

function configFile(
  named: string | undefined,
  places: Parameters<typeof findConfig>[1],
): string | undefined {
  try {
    return findConfig(named, places);
  } catch (error) {
    if (named === undefined) return undefined; // a service may run with a configuration from elsewhere
    throw error;
  }
}

async function refused(response: IncomingMessage): Promise<BerthError> {
  const { statusCode } = response;
  const parsed = Refusal.safeParse(await json(response).catch(() => undefined));
  const { message, candidates } = parsed.data ?? {
    message: `The service answered ${statusCode}.`,
    candidates: [],
  };
  if (statusCode === 404 || statusCode === 409 || statusCode === 400) {
    const known = candidates.length === 0 ? undefined : `There are: ${candidates.join(", ")}.`;
    return new BerthError("USAGE", { message, remedy: known });
  }
  return new BerthError("SERVICE_NOT_RUNNING", { message, remedy: "Look at the service's log." });
}

function notRunning(socketPath: string, cause: unknown): BerthError {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "EACCES") {
    return new BerthError("SERVICE_NOT_RUNNING", {
      message: `The service at ${socketPath} does not answer this user.`,
      remedy: "Run the command as the user that runs the service.",
      cause,
    });
  }
  const isNone = code === "ENOENT" || code === "ECONNREFUSED";
  return new BerthError("SERVICE_NOT_RUNNING", {
    message: isNone
      ? `No service listens at ${socketPath}.`
      : `The service at ${socketPath} did not answer: ${textOf(cause)}.`,
    remedy: "Start it with berth serve, or name its configuration with -c FILE.",
    cause,
  });
}

function cutOff(socketPath: string): BerthError {
  return new BerthError("SERVICE_NOT_RUNNING", {
    message: `The service at ${socketPath} ended before the log did.`,
    remedy: "Start it again with berth serve; the job goes on.",
  });
}
