import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";

type Asked = { readonly path: string; readonly headers: IncomingHttpHeaders };
/** Answers in place of the server and returns true, or lets it answer. */
type Trouble = (request: IncomingMessage, response: ServerResponse) => boolean;

/** A server that knows the three questions of GitHub's REST API that fetching an action asks. Disposing of it closes it. */
export type FakeGitHub = AsyncDisposable & {
  readonly url: string;
  /** All that was asked, in order. */
  readonly asked: Asked[];
  /** Adds a repository; its tags and branches by full name, `tags/v1`, and its archives by commit. */
  add(
    name: string,
    repository: { refs?: { [name: string]: string }; archives?: { [commit: string]: Buffer } },
  ): void;
  /** Asked first from now on. */
  trouble: Trouble | undefined;
};

export async function fakeGitHub(): Promise<FakeGitHub> {
  const repositories = new Map<string, Repository>();
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    asked.push({ path: request.url ?? "", headers: request.headers });
    if (github.trouble?.(request, response)) return;
    answer(request.url ?? "", repositories, response);
  });
  const github: FakeGitHub = {
    url: await listen(server),
    asked,
    trouble: undefined,
    add(name, { refs = {}, archives = {} }) {
      repositories.set(name, { refs, archives });
    },
    [Symbol.asyncDispose]: () => close(server),
  };
  return github;
}

type Repository = {
  readonly refs: { [name: string]: string };
  readonly archives: { [commit: string]: Buffer };
};

function answer(
  url: string,
  repositories: ReadonlyMap<string, Repository>,
  response: ServerResponse,
): void {
  if (url.startsWith("/codeload/")) {
    sendArchive(url, repositories, response);
    return;
  }
  const [, name = "", question, last = ""] =
    /^\/repos\/([^/]+\/[^/]+)(?:\/(commits|tarball)\/([^/]+))?$/.exec(url) ?? [];
  const repository = repositories.get(name);
  const ref = decodeURIComponent(last);
  if (repository === undefined || (question === "tarball" && !repository.archives[ref])) {
    send(response, 404, { message: "Not Found" });
    return;
  }
  switch (question) {
    case "commits": {
      const commit = findCommit(repository, ref);
      if (commit !== undefined) response.writeHead(200, SHA).end(commit);
      else send(response, 422, { message: `No commit found for SHA: ${ref}` });
      break;
    }
    case "tarball":
      response.writeHead(302, { location: `/codeload/${name}/${ref}?token=of-the-redirect` }).end();
      break;
    default:
      send(response, 200, { full_name: name });
  }
}

const SHA = { "content-type": "application/vnd.github.sha; charset=utf-8" };

/** The API takes the branch where there is a tag of that name as well, and shortened commits. */
function findCommit({ refs, archives }: Repository, ref: string): string | undefined {
  const short = Object.keys(archives).find((commit) => ref.length >= 4 && commit.startsWith(ref));
  return refs[ref] ?? refs[`heads/${ref}`] ?? refs[`tags/${ref}`] ?? short;
}

function sendArchive(
  url: string,
  repositories: ReadonlyMap<string, Repository>,
  response: ServerResponse,
): void {
  const [, , owner, repo, commit = ""] = url.split(/[/?]/);
  const archive = repositories.get(`${owner}/${repo}`)?.archives[commit];
  if (archive === undefined) {
    send(response, 404, { message: "Not Found" });
    return;
  }
  response.writeHead(200, { "content-type": "application/x-gzip" }).end(archive);
}

export function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: { [name: string]: string } = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}

export async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, "close");
}
