import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "@jest/globals";
import type { Log } from "../../../src/log.ts";
import { healthRoutes } from "../../../src/server/health-routes.ts";
import { createHeartbeats } from "../../../src/server/heartbeats.ts";
import type { Route } from "../../../src/server/route.ts";
import { startServer } from "../../../src/server/start-server.ts";

const SILENT: Log = { error() {}, warn() {}, info() {}, debug() {} };
const HERE = { host: "127.0.0.1", port: 0 };

const ECHO: Route = {
  method: "POST",
  path: "/echo/:name",
  maxBodyBytes: 1024,
  handle: ({ params, query, body }) => ({
    status: 200,
    body: { name: params.name, q: query.get("q"), bytes: body.length },
  }),
};

function serve(routes: readonly Route[] = [ECHO], requestTimeoutMs?: number) {
  const timeout = requestTimeoutMs === undefined ? {} : { requestTimeoutMs };
  return startServer({ listen: HERE, routes, log: SILENT, ...timeout });
}

/** Sends bytes as they are, and reads until the server closes. */
async function raw(port: number, ...parts: (string | Buffer)[]): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  for (const part of parts) socket.write(part);
  return await text(socket);
}

describe("the server", () => {
  it("answers a route with what its path names, its query and body", async () => {
    await using server = await serve();

    const response = await fetch(`${server.url}/echo/a%20b?q=1`, { method: "POST", body: "12345" });

    expect(await response.json()).toEqual({ name: "a b", q: "1", bytes: 5 });
    expect(server.port).toBeGreaterThan(0);
  });

  it("says in JSON which paths and methods there are not", async () => {
    await using server = await serve();

    const [none, wrong] = await Promise.all([
      fetch(`${server.url}/nothing`),
      fetch(`${server.url}/echo/a`),
    ]);

    expect([none.status, await none.json()]).toEqual([404, { message: "There is no /nothing." }]);
    expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "POST"]);
    expect(await wrong.json()).toEqual({ message: "/echo/a takes POST, not GET." });
  });

  it.each([
    ["announced", { body: "x".repeat(1025) }],
    ["not announced", { body: new Blob(["x".repeat(1025)]).stream(), duplex: "half" as const }],
  ])("refuses a body over the limit, its length %s", async (_, init) => {
    await using server = await serve();

    const response = await fetch(`${server.url}/echo/a`, { method: "POST", ...init });

    expect(response.status).toBe(413);
    expect(response.headers.get("connection")).toBe("close");
  });

  it("does not wait for the rest of a body that is too large", async () => {
    await using server = await serve();

    const answer = await raw(
      server.port,
      "POST /echo/a HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\nbegin",
    );

    expect(answer).toMatch(/^HTTP\/1.1 413 /);
  });

  it("ends a request whose body does not come", async () => {
    await using server = await serve([ECHO], 100);

    const answer = await raw(
      server.port,
      "POST /echo/a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nbegin",
    );

    expect(answer).toMatch(/^HTTP\/1.1 408 /);
  });

  it("refuses headers without end", async () => {
    await using server = await serve();

    const answer = await raw(
      server.port,
      `GET /healthz HTTP/1.1\r\nHost: h\r\nX: ${"y".repeat(20_000)}\r\n\r\n`,
    );

    expect(answer).toMatch(/^HTTP\/1.1 431 /);
  });

  it("goes on after a sender went away in the middle of a body", async () => {
    await using server = await serve();
    const socket = connect(server.port, "127.0.0.1");
    socket.write("POST /echo/a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nbegin");
    await once(socket, "ready");
    socket.resetAndDestroy();

    const response = await fetch(`${server.url}/echo/a`, { method: "POST", body: "1" });

    expect(response.status).toBe(200);
  });

  it("answers 500 without telling what failed, and logs it", async () => {
    const logged: unknown[] = [];
    const log: Log = { ...SILENT, error: (fields: unknown) => logged.push(fields) };
    const routes: Route[] = [
      { method: "GET", path: "/", handle: () => Promise.reject(new Error("s3cret")) },
    ];
    await using server = await startServer({ listen: HERE, routes, log });

    const response = await fetch(server.url);

    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("s3cret");
    expect(logged).toMatchObject([{ path: "/", err: { message: "s3cret" } }]);
  });

  it("answers what it has in hand before it ends", async () => {
    const begun = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const slow: Route = {
      method: "GET",
      path: "/slow",
      async handle() {
        begun.resolve();
        await go.promise;
        return { status: 200, body: "done" };
      },
    };
    const server = await serve([slow]);
    const asked = fetch(`${server.url}/slow`);
    await begun.promise;

    const closed = server[Symbol.asyncDispose]();
    const late = fetch(`${server.url}/slow`).catch(() => "refused");
    expect(await late).toBe("refused");
    go.resolve();

    expect(await (await asked).json()).toBe("done");
    await closed;
  });

  it("names the address that is taken, and what to do", async () => {
    await using server = await serve();

    const second = startServer({
      listen: { host: "127.0.0.1", port: server.port },
      routes: [],
      log: SILENT,
    });

    await expect(second).rejects.toMatchObject({
      code: "PORT_IN_USE",
      message: `The address 127.0.0.1:${server.port} cannot be listened on: another process listens there, perhaps an earlier berth serve.`,
      remedy: expect.stringContaining('"listen" in berth.yml'),
    });
  });

  it("names an address that this machine does not have", async () => {
    const listening = startServer({
      listen: { host: "192.0.2.1", port: 0 },
      routes: [],
      log: SILENT,
    });

    await expect(listening).rejects.toMatchObject({
      code: "PORT_IN_USE",
      message: "The address 192.0.2.1:0 cannot be listened on: this machine has no such address.",
    });
  });
});

describe("health", () => {
  it("is ready while each loop goes round, and says which does not", async () => {
    let nowMs = 0;
    const heartbeats = createHeartbeats(() => nowMs);
    const beat = heartbeats.add("inbox", 1000);
    heartbeats.add("sweep", 5000);
    await using server = await serve(healthRoutes(() => heartbeats.ages()));
    const ask = async (path: string) => {
      const response = await fetch(`${server.url}${path}`);
      return [response.status, await response.json()];
    };

    nowMs = 1001;
    const late = await ask("/readyz");
    beat();
    const ready = await ask("/readyz");

    expect(late).toEqual([
      503,
      {
        status: "not ready",
        loops: [
          { loop: "inbox", ageMs: 1001, limitMs: 1000, isLate: true },
          { loop: "sweep", ageMs: 1001, limitMs: 5000, isLate: false },
        ],
      },
    ]);
    expect(ready).toMatchObject([200, { status: "ready" }]);
    expect(await ask("/healthz")).toEqual([200, { status: "ok" }]);
  });
});
