import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { receiveDelivery } from "../../src/intake/receive-delivery.ts";
import type { Log } from "../../src/log.ts";
import { startServer } from "../../src/server/start-server.ts";
import { webhookRoute } from "../../src/server/webhook-route.ts";
import { openStore } from "../../src/store/open-store.ts";

type Note = (name: string, value: number, unit: string, budget?: number) => void;

const SECRET = "s3cret";
const RATE = 500;
const SECONDS = 5;
const AT_ONCE = 64;
const FULL_SPEED = 5000;
const SILENT: Log = { error() {}, warn() {}, info() {}, debug() {} };

/**
 * Measures how fast signed deliveries are answered once they are on the disk, beside a bare server that only checks the signature.
 * Sender and server share one process and its CPUs, in both cases.
 */
export async function measureWebhooks(note: Note): Promise<void> {
  const bare = await withBareServer(measure);
  const durable = await withBerth(measure);
  note(`webhook p99 at ${RATE}/s, bare check of the signature`, bare.p99Ms, "ms");
  note(`webhook p99 at ${RATE}/s, kept durably`, durable.p99Ms, "ms", 10);
  note("webhooks at full speed, bare", bare.perSecond, "/s");
  note("webhooks at full speed, kept durably", durable.perSecond, "/s");
  note("… bare / durable", bare.perSecond / durable.perSecond, "×");
}

type Measured = { readonly p99Ms: number; readonly perSecond: number };

async function measure(url: string): Promise<Measured> {
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  await atFullSpeed(url, agent, FULL_SPEED / 5); // until it is compiled
  const p99Ms = await p99(url, agent);
  const begun = performance.now();
  await atFullSpeed(url, agent, FULL_SPEED);
  const perSecond = FULL_SPEED / ((performance.now() - begun) / 1000);
  agent.destroy();
  return { p99Ms, perSecond };
}

async function p99(url: string, agent: Agent): Promise<number> {
  const begun = performance.now();
  const total = RATE * SECONDS;
  const answers: Promise<number>[] = [];
  while (answers.length < total) {
    const due = Math.min(total, Math.floor(((performance.now() - begun) / 1000) * RATE));
    while (answers.length < due) answers.push(post(url, agent));
    await sleep(1);
  }
  const sorted = (await Promise.all(answers)).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * 0.99)] ?? 0;
}

async function atFullSpeed(url: string, agent: Agent, total: number): Promise<void> {
  let left = total;
  const sendOn = async () => {
    for (; left > 0; ) {
      left -= 1;
      await post(url, agent);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, sendOn));
}

/** Milliseconds until the answer. */
async function post(url: string, agent: Agent): Promise<number> {
  const id = randomUUID();
  const body = payload(id);
  const begun = performance.now();
  const sent = request(url, {
    ...{ method: "POST", agent },
    headers: {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      "x-github-event": "workflow_job",
      "x-github-delivery": id,
      "x-hub-signature-256": sign(body),
    },
  });
  sent.end(body);
  const [response] = await once(sent, "response");
  await buffer(response);
  if (response.statusCode !== 202) throw new Error(`answered ${response.statusCode}`);
  return performance.now() - begun;
}

/** Some 8 kB, as GitHub's are. */
function payload(id: string): string {
  return JSON.stringify({
    action: "queued",
    workflow_job: {
      ...{ id: 1, run_id: 2, run_attempt: 1, head_sha: id, name: "build", labels: ["berth"] },
      created_at: "2026-06-18T06:59:58Z",
    },
    repository: { id: 3, full_name: "octo/hello", more: "x".repeat(7500) },
    ...{ installation: { id: 4 }, sender: { login: "octocat", type: "User" } },
  });
}

function sign(body: string | Buffer): string {
  return `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`;
}

async function withBareServer<T>(use: (url: string) => Promise<T>): Promise<T> {
  const server = createServer((incoming, response) => {
    void buffer(incoming).then((body) => {
      const given = Buffer.from(String(incoming.headers["x-hub-signature-256"]));
      const isGood = timingSafeEqual(given, Buffer.from(sign(body)));
      response.writeHead(isGood ? 202 : 401).end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
  }
}

async function withBerth<T>(use: (url: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "berth-bench-"));
  try {
    await using store = await openStore(folder);
    const { deliveries } = store;
    const deps = { secrets: () => [SECRET], deliveries, arrived: () => {}, log: SILENT };
    await using server = await startServer({
      ...{ listen: { host: "127.0.0.1", port: 0 }, log: SILENT },
      routes: [webhookRoute((received) => receiveDelivery(received, deps))],
    });
    return await use(`${server.url}/webhooks/github`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
