import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { createAppAuth } from "@octokit/auth-app";
import { Octokit } from "@octokit/rest";
import type { LocalHub } from "../../../src/localhub/local-hub.ts";

const run = promisify(execFile);
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

/** The App itself, as its JWT lets it act. */
export function asApp({ apiUrl, app }: LocalHub): Octokit {
  return new Octokit({
    baseUrl: apiUrl,
    authStrategy: createAppAuth,
    auth: { appId: app.id, privateKey: app.privateKey },
    log: SILENT,
  });
}

/** The App's installation on an account. */
export function asInstallation(hub: LocalHub, login: string): Octokit {
  const { apiUrl, app } = hub;
  return new Octokit({
    baseUrl: apiUrl,
    authStrategy: createAppAuth,
    auth: {
      ...{ appId: app.id, privateKey: app.privateKey },
      installationId: hub.installationIdOf(login),
    },
    log: SILENT,
  });
}

/** A token of the App's installation, narrowed. */
export async function narrowToken(
  { apiUrl, app, installationIdOf }: LocalHub,
  login: string,
  only: {
    readonly repositoryNames?: string[];
    readonly permissions?: { readonly [permission: string]: string };
  },
): Promise<string> {
  const auth = createAppAuth({
    ...{ appId: app.id, privateKey: app.privateKey },
    request: new Octokit({ baseUrl: apiUrl }).request,
  });
  const installationId = installationIdOf(login);
  return (await auth({ type: "installation", installationId, ...only })).token;
}

export function withToken({ apiUrl }: LocalHub, auth?: string): Octokit {
  return new Octokit({ baseUrl: apiUrl, ...(auth !== undefined && { auth }), log: SILENT });
}

/** The status and message of the error that a request ends with. */
export async function refusalOf(request: Promise<unknown>): Promise<[number, string]> {
  try {
    await request;
  } catch (error) {
    if (error instanceof Error && "status" in error) return [Number(error.status), error.message];
    throw error;
  }
  throw new Error("The request was expected to fail.");
}

/** Runs the real git, without the settings of this machine. */
export async function git(folder: string, ...args: string[]): Promise<string> {
  const env = {
    PATH: process.env.PATH,
    ...{ GIT_CONFIG_NOSYSTEM: "1", GIT_CONFIG_GLOBAL: "/dev/null", GIT_TERMINAL_PROMPT: "0" },
    ...{ GIT_AUTHOR_NAME: "A", GIT_AUTHOR_EMAIL: "a@example.com" },
    ...{ GIT_COMMITTER_NAME: "A", GIT_COMMITTER_EMAIL: "a@example.com" },
  };
  return (await run("git", args, { cwd: folder, env })).stdout.trim();
}

export type Received = {
  readonly headers: { readonly [name: string]: string | string[] | undefined };
  readonly body: string;
  readonly event: string;
  /** `event.action`, or the event where it has no action. */
  readonly name: string;
};

/** A webhook receiver; `answer` decides the status. */
export async function receiveWebhooks(
  answer: (received: Received) => number = () => 202,
): Promise<AsyncDisposable & { readonly url: string; readonly received: Received[] }> {
  const received: Received[] = [];
  const take = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await text(request);
    const event = String(request.headers["x-github-event"]);
    const { action } = JSON.parse(body);
    const name = action ? `${event}.${action}` : event;
    const one = { headers: request.headers, body, event, name };
    received.push(one);
    response.writeHead(answer(one)).end("ok");
  };
  const server = createServer((request, response) => void take(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/hook`,
    received,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Names and statuses of a hub's jobs, in the order they were queued. */
export function jobList(hub: LocalHub): string[] {
  return hub.jobs().map(({ name, status, conclusion }) => `${name}: ${conclusion ?? status}`);
}

/** The id of the newest job of a name. */
export function jobNamed(hub: LocalHub, name: string): number {
  const job = hub.jobs().findLast((each) => each.name === name);
  if (!job) throw new Error(`no job ${name} among ${jobList(hub).join(", ")}`);
  return job.id;
}

export const NEEDS_AND_MATRIX = `name: CI
on: push
jobs:
  build:
    runs-on: [berth, linux]
    outputs: { v: "\${{ steps.s.outputs.v }}" }
    steps: [{ run: "true" }]
  test:
    needs: build
    runs-on: berth
    strategy: { max-parallel: 2, matrix: { os: [a, b, c] } }
    steps: [{ run: "true" }]
  last:
    needs: test
    name: "last of \${{ needs.test.result }}"
    runs-on: berth
    steps: [{ run: "true" }]
`;
