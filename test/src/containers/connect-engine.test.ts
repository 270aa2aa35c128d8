import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import {
  type ConnectEngineOptions,
  connectEngine,
} from "../../../src/containers/connect-engine.ts";

let folder: string;
let servers: Server[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "berth-engines-"));
  servers = [];
});
afterEach(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  await rm(folder, { recursive: true });
});

/** Says of itself what an engine says, which is all that finding one needs. */
async function engineAt(place: string | number, version = "1.2.3"): Promise<number> {
  if (typeof place === "string") await mkdir(join(place, ".."), { recursive: true });
  const server = createServer((_, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ Version: version, ApiVersion: "1.41" }));
  });
  servers.push(server);
  server.listen(place);
  await once(server, "listening");
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

function options(more: Partial<ConnectEngineOptions> = {}): ConnectEngineOptions {
  return {
    env: { XDG_RUNTIME_DIR: join(folder, "run") },
    home: folder,
    uid: 4_000_000,
    stateDir: join(folder, "state"),
    defaultSocket: join(folder, "docker.sock"),
    timeoutMs: 2000,
    ...more,
  };
}

it("prefers what is named, then DOCKER_HOST, the context, the system's, the user's, its own", async () => {
  const named = join(folder, "named.sock");
  const environment = join(folder, "env.sock");
  const context = join(folder, "context.sock");
  for (const [path, version] of [
    [named, "named"],
    [environment, "environment"],
    [context, "context"],
    [join(folder, "docker.sock"), "system"],
    [join(folder, "run", "docker.sock"), "rootless"],
    [join(folder, "state", "engine", "docker.sock"), "own"],
  ] as const) {
    await engineAt(path, version);
  }
  await useContext("mine", `unix://${context}`);
  const found: string[] = [];
  const look = async (more: Partial<ConnectEngineOptions>) => {
    const { version, source } = await connectEngine(options(more));
    found.push(`${source}: ${version}`);
  };
  const env = options().env;

  await look({ endpoint: `unix://${named}`, env: { DOCKER_HOST: `unix://${environment}` } });
  await look({ env: { DOCKER_HOST: `unix://${environment}` } });
  await look({});
  await look({ env: { ...env, DOCKER_CONTEXT: "default" } });
  await look({ env: { ...env, DOCKER_CONTEXT: "default" }, defaultSocket: join(folder, "no") });
  await look({ env: { DOCKER_CONTEXT: "default" }, defaultSocket: join(folder, "no") });

  expect(found).toEqual([
    "--docker: named",
    "DOCKER_HOST: environment",
    "docker context: context",
    "default socket: system",
    "rootless socket: rootless",
    "berth: own",
  ]);
});

it("speaks to an engine over TCP", async () => {
  const port = await engineAt(0);

  const engine = await connectEngine(options({ env: { DOCKER_HOST: `tcp://127.0.0.1:${port}` } }));

  expect(engine).toMatchObject({ version: "1.2.3", apiVersion: "1.41", source: "DOCKER_HOST" });
});

it("lists each place it looked at, why it did not do, and what to do", async () => {
  await writeFile(join(folder, "docker.sock"), "");

  await expect(connectEngine(options())).rejects.toMatchObject({
    code: "ENGINE_NOT_FOUND",
    message: expect.stringMatching(
      /docker\.sock \(default socket\): nobody listens.*run\/docker\.sock \(rootless socket\): there is no such.*engine\/docker\.sock \(berth\): there is no such/s,
    ),
    remedy: expect.stringContaining("berth demo"),
  });
});

it("tries nothing else beside an engine that was named", async () => {
  await engineAt(join(folder, "docker.sock"));

  await expect(
    connectEngine(options({ endpoint: "unix:///nowhere/docker.sock" })),
  ).rejects.toMatchObject({
    message: expect.not.stringContaining("default socket"),
    remedy: expect.stringContaining("--docker"),
  });
});

it.each([
  ["ssh://me@there", "does not speak ssh:"],
  ["tcp://", "not an address"],
  ["http://127.0.0.1:1", "nobody listens"],
])("says why %s will not do", async (endpoint, why) => {
  await expect(connectEngine(options({ endpoint }))).rejects.toMatchObject({
    code: "ENGINE_NOT_FOUND",
    message: expect.stringContaining(why),
  });
});

it("needs the certificates that DOCKER_TLS_VERIFY asks for", async () => {
  const env = {
    DOCKER_HOST: "tcp://127.0.0.1:1",
    DOCKER_TLS_VERIFY: "1",
    DOCKER_CERT_PATH: folder,
  };

  await expect(connectEngine(options({ env }))).rejects.toMatchObject({
    message: expect.stringContaining(`certificates in ${folder} cannot be read`),
  });
});

it("gives up on an engine that stays silent", async () => {
  const server = createServer(() => {});
  servers.push(server);
  server.listen(join(folder, "docker.sock"));
  await once(server, "listening");

  await expect(
    connectEngine(options({ endpoint: `unix://${folder}/docker.sock`, timeoutMs: 100 })),
  ).rejects.toMatchObject({ message: expect.stringContaining("did not answer within 0.1 s") });
});

it("says so when the docker context in use cannot be read", async () => {
  await expect(connectEngine(options({ env: { DOCKER_CONTEXT: "gone" } }))).rejects.toMatchObject({
    remedy: expect.stringContaining("docker context"),
  });
});

async function useContext(name: string, host: string): Promise<void> {
  const id = createHash("sha256").update(name).digest("hex");
  const meta = join(folder, ".docker", "contexts", "meta", id);
  await mkdir(meta, { recursive: true });
  const content = { Name: name, Endpoints: { docker: { Host: host, SkipTLSVerify: false } } };
  await writeFile(join(meta, "meta.json"), JSON.stringify(content));
  const config = { currentContext: name };
  await writeFile(join(folder, ".docker", "config.json"), JSON.stringify(config));
}
