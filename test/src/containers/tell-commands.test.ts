import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import Docker from "dockerode";
import { type EngineCommand, tellCommands } from "../../../src/containers/tell-commands.ts";

const SECRET = "hunter2-secret";

let folder: string;
let socketPath: string;
const engine = createServer((request, response) => {
  request.resume();
  if (request.url?.includes("/refused/")) {
    // As engines do, it quotes what it was given.
    response.writeHead(400).end(JSON.stringify({ message: `bad variable ${SECRET}` }));
  } else if (request.url?.includes("/cut/")) {
    request.socket.destroy();
  } else {
    response
      .writeHead(request.url?.startsWith("/build") ? 200 : 201)
      .end(JSON.stringify({ Id: "abc" }));
  }
});
engine.on("upgrade", (_, socket) =>
  socket.end("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"),
);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "berth-commands-"));
  socketPath = join(folder, "docker.sock");
  engine.listen(socketPath);
  await once(engine, "listening");
});
afterAll(async () => {
  engine.closeAllConnections();
  engine.close();
  await rm(folder, { recursive: true });
});

function toldEngine(): { docker: Docker; told: EngineCommand[] } {
  const told: EngineCommand[] = [];
  const docker = new Docker({ socketPath });
  tellCommands(docker, (command) => told.push(command));
  return { docker, told };
}

it("tells method, path, status and time of each request, and no more", async () => {
  const { docker, told } = toldEngine();
  const archive = Readable.from([]);

  await Promise.all([
    docker.createContainer({ name: "job-1", Image: "x", Env: [`A=${SECRET}`] }),
    docker.buildImage(archive, { t: "mine", buildargs: { TOKEN: SECRET } }),
  ]);

  expect(told.toSorted((a, b) => a.path.localeCompare(b.path))).toEqual([
    { method: "POST", path: "/build?t=mine", status: 200, ms: expect.any(Number) },
    {
      ...{ method: "POST", path: "/containers/create?name=job-1" },
      ...{ status: 201, ms: expect.any(Number) },
    },
  ]);
  expect(JSON.stringify(told)).not.toContain(SECRET);
});

it("tells of what is refused by its status, and of silence by its reason", async () => {
  const { docker, told } = toldEngine();

  const failures = await Promise.allSettled([
    docker.getContainer("refused/x").inspect(),
    docker.getContainer("cut/x").inspect(),
  ]);

  expect(failures.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(told.find(({ path }) => path.includes("refused"))).toMatchObject({ status: 400 });
  expect(told.find(({ path }) => path.includes("cut"))).toMatchObject({
    ...{ status: undefined, error: "socket hang up" },
  });
  expect(JSON.stringify(told)).not.toContain(SECRET);
});

it("leaves a connection that is taken over as it is", async () => {
  const { docker, told } = toldEngine();

  const stream = await docker
    .getContainer("abc")
    .attach({ stream: true, hijack: true, stdin: true, stdout: true });
  stream.end();

  expect(told).toMatchObject([{ method: "POST", path: "/containers/abc/attach", status: 101 }]);
});
