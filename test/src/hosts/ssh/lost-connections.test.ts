import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "@jest/globals";
import ssh2, { type Connection, type ServerChannel } from "ssh2";
import { BerthError } from "../../../../runner/errors.ts";
import { KeptConnection } from "../../../../src/hosts/ssh/keep-connected.ts";
import type { Link } from "../../../../src/hosts/ssh/link.ts";
import { openSshConnection } from "../../../../src/hosts/ssh/open-ssh-connection.ts";

const signal = new AbortController().signal;
const home = mkdtempSync(join(tmpdir(), "berth-lost-"));
const environment = { home, env: { USER: "me" } };
const key = ssh2.utils.generateKeyPairSync("ed25519");
mkdirSync(join(home, ".ssh"));
afterAll(() => rmSync(home, { recursive: true }));

it("gives up a bastion that never says whether it reached the machine, and can be closed then", async () => {
  await using bastion = await startServer((client) => {
    client.on("tcpip", () => {});
  });
  await using connection = openSshConnection(
    { name: "far", destination: "me@10.0.0.1", jump: `me@127.0.0.1:${bastion.port}` },
    { environment, connectTimeoutMs: 1000 },
  );

  await expect(connection.shell.run("true", { signal })).rejects.toMatchObject({
    code: "HOST_UNREACHABLE",
    message: expect.stringContaining("does not answer in time"),
  });
});

it("gives up a machine that lets one in and starts no session", async () => {
  await using machine = await startServer((client) => {
    client.on("session", () => {});
  });
  await using connection = openSshConnection(
    { name: "deaf", destination: `me@127.0.0.1:${machine.port}` },
    { environment, connectTimeoutMs: 1000, keepaliveMs: 100_000 },
  );

  await expect(connection.shell.run("true", { signal })).rejects.toMatchObject({
    code: "HOST_UNREACHABLE",
    message: expect.stringContaining("does not answer in time"),
  });
});

it("ends what two connections left behind, where the second broke before it could end that of the first", async () => {
  const ended = Promise.withResolvers<string>();
  const cancel = new AbortController();
  let connections = 0;
  await using machine = await startServer((client, cut) => {
    const nth = ++connections;
    onCommand(client, (command, channel) => {
      const nonce = /echo (\w+) \$PPID/.exec(command)?.[1];
      if (nonce !== undefined) {
        channel.write(`${nonce} ${100 + nth} 7 ${nonce}\n`);
        // The first one dies once it is used, the second while it clears up after the first.
        if (nth === 1) setImmediate(cut);
      } else if (nth === 2) cut();
      else {
        ended.resolve(command);
        channel.exit(0);
        channel.end();
      }
    });
  });
  await using connection = openSshConnection(
    { name: "frail", destination: `me@127.0.0.1:${machine.port}` },
    { environment },
  );
  const running = connection.shell.run("true", { signal: cancel.signal });

  const command = await ended.promise;
  cancel.abort();
  await expect(running).rejects.toBeDefined();

  expect(command).toContain("/proc/101/stat");
  expect(command).toContain("/proc/102/stat");
});

it("tells last that the connection is lost, where a new one broke as soon as it was there", async () => {
  const lost = [new AbortController(), new AbortController()];
  const hop = { label: "far", host: "far", port: 22 };
  const made = lost.map((one) => ({ hop, lost: one.signal, close: () => {} }) as unknown as Link);
  const told: (string | undefined)[] = [];
  const secondLoss = Promise.withResolvers<void>();
  await using kept = new KeptConnection({
    patienceMs: 1000,
    async connect(previous, closing) {
      if (previous === made[1]) await once(closing, "abort");
      if (previous !== undefined) lost[1]?.abort(new Error("second"));
      const link = previous === undefined ? made[0] : made[1];
      if (link === undefined) throw new Error("no link");
      return link;
    },
  });
  kept.onChange((why) => {
    told.push(why?.message);
    if (why?.message.includes("second")) setImmediate(secondLoss.resolve);
  });
  await kept.link(signal);

  lost[0]?.abort(new Error("first"));
  await secondLoss.promise;

  expect(told).toEqual([
    expect.stringContaining("first"),
    undefined,
    expect.stringContaining("second"),
  ]);
});

it("has no call wait once more where earlier ones have waited long enough", async () => {
  const lost = new AbortController();
  const hop = { label: "far", host: "far", port: 22 };
  const link = { hop, lost: lost.signal, close: () => {} } as unknown as Link;
  const away = new BerthError("HOST_UNREACHABLE", { message: "It is away." });
  await using kept = new KeptConnection({
    patienceMs: 50,
    connect: async (previous) => (previous === undefined ? link : Promise.reject(away)),
  });
  await kept.link(signal);
  lost.abort(new Error("gone"));

  await expect(kept.link(signal)).rejects.toBe(away);
  await expect(kept.link(signal)).rejects.toBe(away); // a timer may be early by some microseconds
  const next = kept.link(signal).catch((error: unknown) => error);
  const turn = new Promise((resolve) => setImmediate(resolve, "waits"));

  expect(await Promise.race([next, turn])).toBe(away);
});

/** A server of ssh2's own, which lets everybody in. Its key is known. */
async function startServer(welcome: (client: Connection, cut: () => void) => void) {
  const clients = new Set<Connection>();
  const server = new ssh2.Server({ hostKeys: [key.private] }, (client) => {
    clients.add(client);
    client.on("error", () => {});
    client.on("close", () => clients.delete(client));
    client.on("authentication", (attempt) => attempt.accept());
    client.on("ready", () => welcome(client, () => client.end()));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  writeFileSync(join(home, ".ssh/known_hosts"), `[127.0.0.1]:${port} ${key.public}\n`);
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.end();
      server.close();
    },
  };
}

function onCommand(client: Connection, hear: (command: string, channel: ServerChannel) => void) {
  client.on("session", (accept) => {
    const session = accept();
    session.on("pty", (acceptPty) => acceptPty?.());
    session.on("exec", (acceptExec, _, { command }) => hear(command, acceptExec()));
  });
}
