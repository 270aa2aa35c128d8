import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Duplex, Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { pack } from "tar-stream";
import type { Engine } from "../../../src/containers/connect-engine.ts";
import { engineError } from "../../../src/containers/engine-error.ts";
import { connectThroughTunnel } from "../../../src/containers/tunnel-engine.ts";
import { openSshConnection } from "../../../src/hosts/ssh/open-ssh-connection.ts";
import type { SshConnection } from "../../../src/hosts/ssh/ssh-connection.ts";
import { jobImage } from "../../engine.ts";
import { type HostMachine, startHostMachine } from "../../host-machines.ts";

const signal = new AbortController().signal;
const home = mkdtempSync(join(tmpdir(), "berth-tunnel-"));
/** Where forwarding is forbidden. */
const FORBIDDEN = 2201;
let machine: HostMachine;
let image: string;

beforeAll(async () => {
  machine = await startHostMachine({ name: "tunnel", jobImage: true });
  image = await jobImage();
  await machine.exec(
    `/usr/sbin/sshd -p ${FORBIDDEN} -o PidFile=none -o AllowStreamLocalForwarding=no`,
  );
}, 120_000);
afterAll(async () => {
  await machine?.[Symbol.asyncDispose]();
  rmSync(home, { recursive: true });
});

describe.each([
  ["forwarded by sshd", "root", 22],
  ["through docker's own bridge, where sshd forbids forwarding", "root", FORBIDDEN],
  ["with sudo, where the login may not open the socket", "ubuntu", 22],
])("an engine %s", (_, user, port) => {
  let connection: SshConnection;
  let engine: Engine;
  beforeAll(async () => {
    connection = connect(user, port);
    engine = await tunnelTo(connection);
  });
  afterAll(async () => connection?.[Symbol.asyncDispose]());

  it("answers many at once", async () => {
    const answers = await Promise.all(Array.from({ length: 24 }, () => engine.docker.version()));

    expect(engine).toMatchObject({ source: "ssh", version: expect.stringMatching(/^\d/) });
    expect(answers.map(({ Version }) => Version)).toEqual(answers.map(() => engine.version));
  });

  it("attaches, and each side can end alone", async () => {
    const container = await engine.docker.createContainer({
      ...{ Image: image, Entrypoint: ["/bin/sh", "-c"], Cmd: ["md5sum; echo last words"] },
      ...{ OpenStdin: true, StdinOnce: true, HostConfig: { AutoRemove: true } },
    });
    const stdio = { stream: true, hijack: true, stdin: true, stdout: true };
    const stream = (await container.attach(stdio)) as Duplex;
    await container.start();
    const bytes = randomBytes(5_000_000);
    stream.end(bytes);

    const said = (await buffer(stream)).toString("latin1");

    expect(said).toContain(createHash("md5").update(bytes).digest("hex"));
    expect(said).toContain("last words");
  });

  it("takes what is uploaded, and gives up what is given up", async () => {
    const container = await engine.docker.createContainer({ Image: image, Cmd: ["true"] });
    const bytes = randomBytes(5_000_000);
    const tar = pack();
    tar.entry({ name: "big" }, bytes);
    tar.finalize();
    await container.putArchive(Readable.from(tar, { objectMode: false }), { path: "/tmp" });
    const back = await buffer(await container.getArchive({ path: "/tmp/big" }));
    const cancel = new AbortController();
    const waiting = container.wait({ condition: "removed", abortSignal: cancel.signal });
    cancel.abort();

    expect(back.includes(bytes.subarray(0, 100_000))).toBe(true);
    await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
    await container.remove({ force: true });
    expect(await engine.docker.ping()).toBeTruthy();
  });
});

it("says that an engine is lost when the connection breaks, and reaches it again after that", async () => {
  await using connection = connect("root", 22);
  const engine = await tunnelTo(connection);
  const container = await engine.docker.createContainer({
    ...{ Image: image, Entrypoint: ["cat"], OpenStdin: true },
  });
  const stdio = { stream: true, hijack: true, stdin: true, stdout: true };
  const stream = (await container.attach(stdio)) as Duplex;
  await container.start();
  const broken = new Promise((resolve) => stream.on("error", resolve));
  stream.resume();

  await machine.exec("pkill -KILL -f '[s]shd: root@'");

  expect(engineError(await broken, "read")).toMatchObject({ code: "ENGINE_LOST" });
  const { State } = await container.inspect();
  expect(State.Running).toBe(true);
  await container.remove({ force: true });
});

it("uses what else the machine has where docker's command line is missing", async () => {
  await machine.exec("mv /usr/bin/docker /usr/bin/docker-hidden");
  await using connection = connect("root", FORBIDDEN);
  const engine = await tunnelTo(connection);
  await machine.exec("mv /usr/bin/docker-hidden /usr/bin/docker");

  expect(await engine.docker.ping()).toBeTruthy();
});

it.each([
  ["there is none", "/run/none.sock", true, /there is no such socket/],
  ["sudo is switched off", "/var/run/docker.sock", false, /may not open it, and sudo is switched/],
])("says why it cannot be reached when %s", async (_, socket, sudo, why) => {
  await using connection = connect("ubuntu", 22, sudo);

  await expect(tunnelTo(connection, socket)).rejects.toMatchObject({
    code: "ENGINE_NOT_FOUND",
    message: expect.stringMatching(why),
  });
});

it("says the same to many who want it at once, where a server allows few sessions", async () => {
  await using connection = connect("ubuntu", 22, false);

  const dialled = await Promise.allSettled(
    Array.from({ length: 24 }, () => connection.dial("/var/run/docker.sock", signal)),
  );

  const codes = dialled.map((one) => (one.status === "rejected" ? one.reason.code : "open"));
  expect(new Set(codes)).toEqual(new Set(["ENGINE_NOT_FOUND"]));
});

it("is reached by many at once who do not know the way yet", async () => {
  await using connection = connect("ubuntu", 22);

  const streams = await Promise.all(
    Array.from({ length: 24 }, () => connection.dial("/var/run/docker.sock", signal)),
  );

  expect(streams.map(({ destroyed }) => destroyed)).toEqual(streams.map(() => false));
});

function connect(user: string, port: number, sudo = true): SshConnection {
  const { address, identityFile, hostKey } = machine;
  const destination = `${user}@${address}:${port}`;
  return openSshConnection(
    { name: "gpu-1", destination, identityFile, hostKey, sudo },
    { environment: { home, env: {} } },
  );
}

function tunnelTo(connection: SshConnection, socket = "/var/run/docker.sock"): Promise<Engine> {
  return connectThroughTunnel({
    dial: () => connection.dial(socket, signal),
    endpoint: `unix://${socket}`,
    dockerConfigDir: home,
  });
}
