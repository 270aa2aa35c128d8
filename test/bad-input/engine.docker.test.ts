import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { jobImage, makeTestImages, testEngine } from "../engine.ts";
import { ending, runBerth, startBerth } from "../src/cli/run-berth.ts";
import { type Registry, startRegistry } from "../src/containers/registry.ts";
import { tinyImage } from "../src/containers/tiny-image.ts";
import { objectsOfRun } from "./objects-of-run.ts";
import { repositoryOf, runJobs, runOf, seen, sharedState } from "./run-jobs.ts";
import { whenPrinted } from "./when-printed.ts";

const stack = new AsyncDisposableStack();
let registry: Registry;
beforeAll(async () => {
  await Promise.all([jobImage(), makeTestImages()]);
  registry = stack.use(await startRegistry({ isPrivate: true }));
});
afterAll(() => stack.disposeAsync());

it("says why an image cannot be had, and runs no step", async () => {
  const { docker } = await testEngine();
  const image = await registry.push(docker, "berth-test/busybox:latest", "secret/tool:1");
  const password = "$" + "{{ secrets.PASSWORD }}";
  const container = (credentials?: { [key: string]: string }) => ({
    container: { image, ...(credentials && { credentials }) },
    steps: ["echo here"],
  });

  const ended = await runJobs(
    {
      wrong: container({ username: "ali", password: `no ${password} no` }),
      none: container(),
      missing: { container: `${registry.address}/no/such:1`, steps: ["true"] },
      malformed: { container: "Not:An:Image", steps: ["true"] },
      right: container({ username: "ali", password }),
    },
    { args: ["--secret", "PASSWORD=open sesame", "--max-parallel", "1"] },
  );

  const jobs = Object.fromEntries(
    ["right", "wrong", "none", "missing", "malformed"].map((id) => [id, seen(ended, id)]),
  );
  expect(ended.code).toBe(1);
  expect(jobs.right).toMatchObject({ conclusion: "success" });
  expect(jobs.wrong?.reason).toMatch(/cannot be had from .*Check the user name and password/);
  expect(jobs.none?.reason).toMatch(/container.credentials, or `docker login/);
  expect(jobs.missing?.reason).toMatch(/no\/such.* cannot be had from /);
  expect(jobs.malformed?.reason).toMatch(/Not:An:Image/);
  for (const id of ["wrong", "none", "missing", "malformed"]) {
    expect(jobs[id]).toMatchObject({ conclusion: "failure", outcomes: [] });
    expect(jobs[id]?.annotations).toHaveLength(1);
  }
  expect(ended.stdout + ended.stderr).not.toContain("sesame");
  expect(await objectsOfRun(runOf(ended))).toEqual([]);
  await docker.getImage(image).remove();
});

it("says that an image has no shell", async () => {
  const { docker } = await testEngine();
  await using image = await tinyImage(docker, "berth-test/no-shell:1", { shell: false });

  const ended = await runJobs({ a: { container: image.tag, steps: ["true"] } });

  expect(ended.code).toBe(1);
  expect(seen(ended, "a").reason).toMatch(/no \/bin\/sh, so no step can be run/);
  expect(await objectsOfRun(runOf(ended))).toEqual([]);
});

it.each([
  ["a socket that is not there", "unix:///no/such.sock"],
  ["a port where nobody listens", "tcp://127.0.0.1:1"],
])("ends with 3 and what to do for %s", async (_, endpoint) => {
  using repository = repositoryOf({ a: { steps: ["true"] } });

  const ended = await runBerth(["run", "--json", "--docker", endpoint], { cwd: repository.root });

  expect(ended).toMatchObject({ code: 3, stdout: "" });
  expect(ended.stderr).toContain(endpoint);
  expect(ended.stderr).not.toMatch(/^\s+at /m);
});

it("says so when the engine goes away in the middle of a job, and gc cleans up later", async () => {
  await using proxy = await engineProxy();
  using repository = repositoryOf({
    a: { steps: ["echo begun; sleep 60", { run: "echo never", if: "always()" }] },
  });
  const env = { ...sharedState(), DOCKER_HOST: proxy.endpoint };
  const child = startBerth(["run", "--json"], { cwd: repository.root, env });
  const result = ending(child);
  await whenPrinted(child, '"line":"begun"');

  proxy.cut();
  const ended = await result;
  const gc = await runBerth(["gc", runOf(ended)], { cwd: repository.root, env: sharedState() });

  expect(ended.code).toBe(1);
  expect(seen(ended, "a")).toMatchObject({
    conclusion: "failure",
    outcomes: ["failure"],
    reason: expect.stringMatching(/^The container engine did not answer: .*docker version/),
    annotations: [expect.stringMatching(/engine did not answer/)],
  });
  expect(ended.stderr).toMatch(/could not be removed; berth gc tries again/);
  expect(gc.code).toBe(0);
  expect(await objectsOfRun(runOf(ended))).toEqual([]);
});

/** A socket in front of the engine's; `cut` ends it with all its connections. */
async function engineProxy(): Promise<AsyncDisposable & { endpoint: string; cut(): void }> {
  const { endpoint } = await testEngine();
  const folder = await mkdtemp(join(tmpdir(), "berth-proxy-"));
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const engine = connect(endpoint.replace("unix://", ""));
    for (const [socket, other] of [
      [client, engine],
      [engine, client],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => other.destroy()).on("close", () => other.destroy());
    }
    client.pipe(engine).pipe(client);
  });
  await once(server.listen(join(folder, "engine.sock")), "listening");
  const cut = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return {
    endpoint: `unix://${join(folder, "engine.sock")}`,
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
