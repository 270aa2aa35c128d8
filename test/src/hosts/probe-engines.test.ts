import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { connectEngine } from "../../../src/containers/connect-engine.ts";
import { probeEngines } from "../../../src/hosts/probe-engines.ts";

const { signal } = new AbortController();
let folder: string;
let servers: Server[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "berth-engines-"));
  servers = [];
});
afterEach(async () => {
  for (const server of servers) server.close();
  await rm(folder, { recursive: true, force: true });
});

/** An engine that only tells what it is. */
async function engine(name: string, info: object, components: object[] = []): Promise<string> {
  const path = join(folder, name);
  const version = { Version: "28.0.0", ApiVersion: "1.48", Components: components };
  const server = createServer((request, response) => {
    const answer = request.url?.endsWith("/info") ? { OSType: "linux", ...info } : version;
    response.setHeader("content-type", "application/json").end(JSON.stringify(answer));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return path;
}

function probe(sockets: string, terms: Partial<Parameters<typeof probeEngines>[1]> = {}) {
  const connect = { env: {}, home: folder, uid: 1, stateDir: folder };
  return probeEngines(sockets, {
    connectEngine: (endpoint) => connectEngine({ ...connect, endpoint }),
    sudo: false,
    signal,
    ...terms,
  });
}

const ROOTLESS = { ID: "B", SecurityOptions: ["name=rootless"] };
const PODMAN = [{ Name: "Podman Engine", Version: "5.4.0" }];

it("tells one engine at several sockets once, and its kind", async () => {
  const one = await engine("one.sock", { ID: "A" });
  const same = await engine("same.sock", { ID: "A" });
  const rootless = await engine("rootless.sock", ROOTLESS);
  const podman = await engine("podman.sock", {}, PODMAN);

  const engines = await probe(`open ${one}\nopen ${same}\nopen ${rootless}\nopen ${podman}`);

  expect(
    engines.map(({ endpoint, kind, rootless, isDefault }) => [endpoint, kind, rootless, isDefault]),
  ).toEqual([
    [`unix://${one}`, "docker", false, true],
    [`unix://${rootless}`, "docker", true, false],
    [`unix://${podman}`, "podman", false, false],
  ]);
});

it.each(["docker", "rootless", "podman"] as const)(
  "gives jobs the kind that is wished for: %s",
  async (preferred) => {
    const sockets = {
      docker: await engine("docker.sock", { ID: "A" }),
      rootless: await engine("rootless.sock", ROOTLESS),
      podman: await engine("podman.sock", {}, PODMAN),
    };
    const lines = Object.values(sockets).map((path) => `open ${path}`);

    const engines = await probe(lines.join("\n"), { preferred });

    expect(engines.filter(({ isDefault }) => isDefault)).toMatchObject([
      { endpoint: `unix://${sockets[preferred]}` },
    ]);
  },
);

it("gives jobs no other kind than the one that is wished for", async () => {
  const path = await engine("docker.sock", { ID: "A" });

  const engines = await probe(`open ${path}`, { preferred: "rootless" });

  expect(engines).toMatchObject([{ usable: true, isDefault: false }]);
});

it("goes through sudo to a socket that only root may open, where that is allowed", async () => {
  const path = await engine("docker.sock", { ID: "A" });

  const [without] = await probe(`shut ${path}`);
  const [through] = await probe(`shut ${path}`, { sudo: true });

  expect(without).toMatchObject({ usable: false, reason: `This user may not open ${path}.` });
  expect(through).toMatchObject({ usable: true, throughSudo: true, version: "28.0.0" });
});

it("says of Windows containers that they are of no use", async () => {
  const path = await engine("docker.sock", { ID: "A", OSType: "windows" });

  expect(await probe(`open ${path}`)).toMatchObject([
    { usable: false, reason: "It runs windows containers, and Berth's jobs need Linux ones." },
  ]);
});

it("says of an engine that does not run what to do, and nothing of one that need not", async () => {
  const engines = await probe(`open ${folder}/left.sock`, { maybe: [`unix://${folder}/own.sock`] });

  expect(engines).toMatchObject([
    {
      usable: false,
      reason: `No engine answers at unix://${folder}/left.sock: there is no such socket.`,
      remedy: expect.stringContaining("systemctl start docker"),
    },
  ]);
});
