import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type Docker from "dockerode";
import { debianProgram } from "./debian-program.ts";

/** A real registry on loopback. */
export type Registry = AsyncDisposable & {
  /** `127.0.0.1:5000` */
  readonly address: string;
  /** What it lets in; everybody where there are none. */
  readonly credentials: { username: string; password: string } | undefined;
  /** Puts an image of the engine into it as `name:tag`, and gives the full name. */
  push(docker: Docker, image: string, name: string): Promise<string>;
};

// bcrypt of the password below: what this registry understands, and Node cannot make.
const HTPASSWD = "$2b$04$UYePFY7n9gq/YlF5AznGp.1E4cAi3vASWEUxhmm0KpoeYHB3TR68O";
const CREDENTIALS = { username: "ali", password: "open sesame" };

export async function startRegistry({ isPrivate = false } = {}): Promise<Registry> {
  const program = await debianProgram("docker-registry", "usr/bin/docker-registry");
  const folder = await mkdtemp(join(tmpdir(), "berth-registry-"));
  const address = `127.0.0.1:${await freePort()}`;
  await writeFile(join(folder, "htpasswd"), `${CREDENTIALS.username}:${HTPASSWD}\n`);
  await writeFile(join(folder, "config.yml"), configuration(folder, address, isPrivate));

  const server = spawn(program, ["serve", join(folder, "config.yml")], { stdio: "ignore" });
  const credentials = isPrivate ? CREDENTIALS : undefined;
  await untilListening(address, server);
  return {
    address,
    credentials,
    async push(docker, image, name) {
      const [repository, tag = "latest"] = name.split(":");
      const full = `${address}/${repository}:${tag}`;
      await docker.getImage(image).tag({ repo: `${address}/${repository}`, tag });
      const authconfig = { ...CREDENTIALS, serveraddress: address };
      const stream = await docker.getImage(full).push({ authconfig });
      let said = "";
      for await (const chunk of stream) said += chunk;
      await docker.getImage(full).remove();
      if (said.includes('"error"')) throw new Error(`push failed: ${said}`);
      return full;
    },
    async [Symbol.asyncDispose]() {
      server.kill();
      if (server.exitCode === null) await once(server, "exit");
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function configuration(folder: string, address: string, isPrivate: boolean): string {
  const settings = {
    version: 0.1,
    storage: { filesystem: { rootdirectory: join(folder, "data") } },
    http: { addr: address },
    ...(isPrivate && { auth: { htpasswd: { realm: "berth", path: join(folder, "htpasswd") } } }),
  };
  return JSON.stringify(settings); // JSON is YAML
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

async function untilListening(address: string, server: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if (server.exitCode !== null) throw new Error(`docker-registry ended: ${server.exitCode}`);
    const answer = await fetch(`http://${address}/v2/`).catch(() => undefined);
    if (answer !== undefined) return;
    await sleep(100);
  }
  throw new Error("docker-registry does not listen");
}
