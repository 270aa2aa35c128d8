import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";

export type ActionServer = AsyncDisposable & {
  /** The address of its REST API. */
  readonly url: string;
};

/** `owner/repo@ref` to the commit that the ref shall stand for. */
export type Pins = ReadonlyMap<string, string>;

/**
 * Plays the few parts of GitHub's REST API that actions are fetched with: a repository, the commit of a ref, the archive of a commit. The
 * repositories are git's own, in a folder: `OWNER+REPO` (or `OWNER+REPO/repo`), bare or not.
 */
export async function serveActions(folder: string | undefined, pins: Pins): Promise<ActionServer> {
  const server = createServer((request, response) => {
    answer(new URL(request.url ?? "/", "http://stand-in").pathname, response).catch(
      (error: unknown) => (response.headersSent ? response.destroy() : send(response, 500, error)),
    );
  });

  async function answer(path: string, response: ServerResponse): Promise<void> {
    const [, repos, owner, repo, what, ...rest] = path.split("/").map(decodeURIComponent);
    const name = `${owner}/${repo}`;
    const git = repos === "repos" ? findRepository(folder, name) : undefined;
    if (git === undefined) return send(response, 404, { message: "Not Found" });
    if (what === undefined) return send(response, 200, { full_name: name });
    const ref = rest.join("/");
    if (what === "commits") {
      const commit = await resolveRef(git, ref, (short) => pins.get(`${name}@${short}`));
      if (commit === undefined) return send(response, 422, { message: "No commit found" });
      response.end(commit);
    } else if (what === "tarball") {
      await sendArchive(git, ref, response, name.replace("/", "-"));
    } else send(response, 404, { message: "Not Found" });
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Whether the repository of an action is there. */
export function hasRepository(folder: string | undefined, name: string): boolean {
  return findRepository(folder, name) !== undefined;
}

function findRepository(folder: string | undefined, name: string): string | undefined {
  if (folder === undefined || !/^[\w.-]+\/[\w.-]+$/.test(name)) return undefined;
  const place = join(folder, name.replace("/", "+"));
  const places = [place, join(place, "repo")];
  return places.find((at) => existsSync(join(at, ".git")) || existsSync(join(at, "HEAD")));
}

/** A tag is asked for as `tags/NAME`, a branch by its name alone. */
async function resolveRef(
  git: string,
  ref: string,
  pinned: (short: string) => string | undefined,
): Promise<string | undefined> {
  const short = ref.replace(/^(tags|heads)\//, "");
  const names = ref === short ? [`refs/heads/${ref}`, `refs/tags/${ref}`, ref] : [`refs/${ref}`];
  for (const name of names) {
    const args = ["-C", git, "rev-parse", "--verify", "--quiet", `${name}^{commit}`];
    const found = await promisify(execFile)("git", args).catch(() => undefined);
    if (found) return pinned(short) ?? found.stdout.trim();
  }
  return undefined;
}

async function sendArchive(
  git: string,
  commit: string,
  response: ServerResponse,
  name: string,
): Promise<void> {
  const args = ["archive", "--format=tar.gz", `--prefix=${name}-${commit.slice(0, 7)}/`, commit];
  const archive = spawn("git", ["-C", git, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  response.setHeader("content-type", "application/x-gzip");
  await pipeline(archive.stdout, response);
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const text = body instanceof Error ? { message: body.message } : body;
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(text));
}
