import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { finished, pipeline } from "node:stream/promises";
import { authorize, identify } from "./credentials.ts";
import { GIT_ENV } from "./git.ts";
import {
  type Account,
  actorOf,
  type Credential,
  findRepository,
  type Hub,
  type Repository,
} from "./hub.ts";
import { changeRefs } from "./push.ts";
import { Refusal } from "./refusal.ts";

const PATH = /^\/([^/]+\/[^/]+?)(?:\.git)?\/(info\/refs|git-upload-pack|git-receive-pack)$/;
const MAX_BODY_BYTES = 1024 ** 3;
const CHALLENGE = { "WWW-Authenticate": 'Basic realm="GitHub"' };

type GitRequest = {
  readonly repository: Repository;
  readonly isPush: boolean;
  readonly pathInfo: string;
  readonly query: string;
  readonly actor: Account;
};

/** Whether an address is one that git asks. */
export function isGitPath(path: string): boolean {
  return PATH.test(path);
}

/**
 * Serves git's smart protocol with git's own http-backend: clone, fetch, push. The events of a push are made when git is done.
 *
 * @throws {Refusal} 401, 403 or 404, as GitHub answers git.
 */
export async function serveGit(
  hub: Hub,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const asked = admit(hub, url, request.headers.authorization);
  const serve = () => runBackend(hub, asked, request, response);
  const isChange = asked.isPush && request.method === "POST";
  await (isChange ? changeRefs(hub, asked.repository, asked.actor, serve) : serve());
}

function admit(hub: Hub, url: URL, authorization: string | undefined): GitRequest {
  const [, fullName = "", service = ""] = PATH.exec(url.pathname) ?? [];
  const isPush =
    service === "git-receive-pack" || url.searchParams.get("service") === "git-receive-pack";
  const credential = identifyForGit(hub, authorization);
  const repository = findRepository(hub, fullName);
  const level = isPush ? "write" : "read";
  try {
    authorize(hub, { for: "repository", permission: "contents", level }, credential, repository);
  } catch (error) {
    // Without a token git is asked for one first; whether the repository exists is nobody's business.
    if (error instanceof Refusal && credential.kind === "anonymous") throw unauthorized();
    throw error;
  }
  if (!repository) throw unauthorized();
  return {
    ...{ repository, isPush, actor: actorOf(hub, credential) },
    pathInfo: `/${repository.folder.split("/").at(-1)}/${service}`,
    query: url.search.slice(1),
  };
}

function identifyForGit(hub: Hub, authorization: string | undefined): Credential {
  try {
    return identify(hub, authorization);
  } catch (error) {
    if (error instanceof Refusal) throw unauthorized();
    throw error;
  }
}

function unauthorized(): Refusal {
  return new Refusal(401, "Invalid username or token.", { headers: CHALLENGE });
}

async function runBackend(
  hub: Hub,
  asked: GitRequest,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { repository, pathInfo, query, actor } = asked;
  const { headers } = request;
  const child = spawn("git", ["http-backend"], {
    stdio: ["pipe", "pipe", "ignore"],
    signal: hub.closed,
    env: {
      ...GIT_ENV,
      GIT_PROJECT_ROOT: repository.folder.split("/").slice(0, -1).join("/"),
      GIT_HTTP_EXPORT_ALL: "1",
      PATH_INFO: pathInfo,
      QUERY_STRING: query,
      REQUEST_METHOD: request.method ?? "GET",
      CONTENT_TYPE: headers["content-type"] ?? "",
      REMOTE_USER: actor.login,
      REMOTE_ADDR: "127.0.0.1",
      ...cgiVariable("CONTENT_LENGTH", headers["content-length"]),
      ...cgiVariable("HTTP_CONTENT_ENCODING", headers["content-encoding"]),
      ...cgiVariable("GIT_PROTOCOL", headers["git-protocol"]),
    },
  });
  const ended = once(child, "close");
  child.on("error", () => {}); // an abort; "close" follows
  const feeding = pipeline(request, limited, child.stdin).catch(() => child.stdin.destroy());
  try {
    await relay(child, response);
  } finally {
    if (child.exitCode === null && response.destroyed) child.kill();
    await Promise.all([ended, feeding]);
  }
}

/** Turns the CGI answer, headers first, into an HTTP response. */
async function relay({ stdout }: ChildProcess, response: ServerResponse): Promise<void> {
  if (!stdout) return;
  let head = Buffer.alloc(0);
  let isBody = false;
  for await (const chunk of stdout as AsyncIterable<Buffer>) {
    if (isBody) {
      if (!response.write(chunk) && !response.destroyed) {
        await Promise.race([once(response, "drain"), once(response, "close")]);
      }
      continue;
    }
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) continue;
    isBody = true;
    writeHead(head.subarray(0, end).toString(), response);
    if (head.length > end + 4) response.write(head.subarray(end + 4));
  }
  if (!isBody) response.writeHead(500);
  response.end();
  await finished(response).catch(() => {}); // the caller hung up
}

function writeHead(head: string, response: ServerResponse): void {
  let status = 200;
  for (const line of head.split("\r\n")) {
    const [, name = "", value = ""] = /^([^:]+): *(.*)$/.exec(line) ?? [];
    if (name.toLowerCase() === "status") status = Number.parseInt(value, 10);
    else if (name) response.setHeader(name, value);
  }
  response.writeHead(status);
}

async function* limited(body: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new Refusal(413, "The pack is too large.");
    yield chunk;
  }
}

function cgiVariable(
  name: string,
  value: string | string[] | undefined,
): { [name: string]: string } {
  return typeof value === "string" ? { [name]: value } : {};
}
