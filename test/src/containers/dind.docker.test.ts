import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "@jest/globals";
import type Docker from "dockerode";
import { pack } from "tar-stream";
import type { DindMode } from "../../../src/containers/dind/dind-request.ts";
import { proveDind } from "../../../src/containers/dind/prove-dind.ts";
import { openJobPlace } from "../../../src/containers/job-place.ts";
import { jobLabels, OWNER_LABEL } from "../../../src/containers/labels.ts";
import { thisOwner } from "../../../src/containers/owner.ts";
import { reopenJobPlace } from "../../../src/containers/reopen-job-place.ts";
import { removeSiblings, siblingContainers } from "../../../src/containers/siblings.ts";
import { prepareDindImage } from "../../../src/hosts/dind-image.ts";
import { findLeftovers, jobImage as makeJobImage, testEngine } from "../../engine.ts";
import { debianProgram } from "./debian-program.ts";
import { execIn } from "./exec-in.ts";
import { tinyImage } from "./tiny-image.ts";

const JOB = `test-dind-${process.pid}`;
const TINY = `berth-test/dind-${process.pid}:tiny`;
const LIMIT = 256 * 2 ** 20;

const made = new AsyncDisposableStack();
let docker: Docker;
let image: string;
let dindImage: string;
let leaks: unknown[];

beforeAll(async () => {
  ({ docker } = await testEngine());
  image = await makeJobImage();
  const work = { progress: () => {}, signal: AbortSignal.timeout(300_000) };
  dindImage = await prepareDindImage(docker, { stateFolder: "/nowhere", ...work });
  made.use(await tinyImage(docker, TINY));
}, 300_000);

afterAll(() => made.disposeAsync());

afterEach(async () => {
  expect(leaks).toEqual([]);
  expect(await findLeftovers(JOB)).toEqual([]);
});

describe("a job's own Docker daemon", () => {
  it.each(["rootless", "capabilities"] as const)(
    "builds and runs (%s), within the job's limits",
    async (mode) => {
      await using place = await open({ mode, lease: { cpus: 1, memoryBytes: LIMIT } });
      const sh = (script: string) => inJob(place.containerId, script);
      await putBase(place.containerId);

      expect(
        await sh(`set -e
        docker import /tmp/base.tar tiny >/dev/null
        mkdir /tmp/it && cd /tmp/it && printf 'FROM tiny\\nRUN ["/busybox","touch","/made"]\\n' >Dockerfile
        docker build -q -t made . >/dev/null
        docker run --rm made /busybox ls /made`),
      ).toEqual({ output: "/made\n", exitCode: 0 });
      // Published on the job's own localhost, and reached from there.
      expect(
        await sh(`docker run -d --rm --name web -p 8080:80 tiny /busybox httpd -f -p 80 -h / >/dev/null
        for i in 1 2 3 4 5; do curl -sf -o /dev/null --retry 5 --retry-all-errors http://localhost:8080/busybox && break; done
        echo $?; docker kill web >/dev/null`),
      ).toEqual({ output: "0\n", exitCode: 0 });
      // More than the job may have: 137 is what the kernel leaves of it.
      expect(
        await sh("docker run --rm tiny /busybox dd if=/dev/zero of=/dev/null bs=400M count=1"),
      ).toMatchObject({ exitCode: 137 });
    },
  );

  it("goes on with a job that another life of the service comes back to", async () => {
    // An image with neither a client nor a C library.
    await using place = await open({ mode: "rootless", jobImage: TINY });
    place.abandon();
    const reopened = await reopenJobPlace(docker, request(), { hostName: "here", onLeak });
    await using _removed = {
      async [Symbol.asyncDispose]() {
        await removeSiblings(docker, JOB, onLeak);
        await reopened?.[Symbol.asyncDispose]();
      },
    };
    const lines: string[] = [];
    const siblings = siblingContainers(docker, {
      jobId: JOB,
      runId: JOB,
      containerId: place.containerId,
      hasJobContainer: false,
      forwarder: { image, nodeVolume: undefined },
      onLeak,
    });

    const ended = await siblings.runContainer(
      {
        image: TINY,
        args: ["sh", "-c", "echo $DOCKER_HOST; test -S /var/run/docker.sock && echo there"],
        env: {},
      },
      {
        key: "1",
        onOutput: (chunk) => lines.push(chunk.toString()),
        signal: AbortSignal.timeout(30_000),
        kill: new AbortController().signal,
      },
    );

    expect(ended.exitCode).toBe(0);
    expect(lines.join("")).toBe("unix:///__d/docker.sock\nthere\n");
    expect(await inJob(place.containerId, "docker version -f '{{.Server.Os}}'")).toMatchObject({
      output: "linux\n",
    });
  });

  it("is proved beforehand, mode by mode, and what a dead process left of that goes", async () => {
    leaks = [];
    const jobId = `prove-dind-dead-${process.pid}`;
    // No process has that number.
    const dead = { [OWNER_LABEL]: thisOwner().replace(`:${process.pid}:`, ":99999999:") };
    const labels = jobLabels({ kind: "dind", jobId, runId: "prove-dind" });
    const left = await docker.createContainer({ Image: image, Labels: { ...labels, ...dead } });

    const proofs = await proveDind(
      { docker },
      { image: dindImage, modes: ["rootless"], signal: AbortSignal.timeout(60_000) },
    );

    expect(proofs).toEqual([{ mode: "rootless", works: true }]);
    await expect(docker.getContainer(left.id).inspect()).rejects.toMatchObject({ statusCode: 404 });
  });

  it("is refused with its log, and the way to allow another mode, where it does not start", async () => {
    await expect(open({ mode: "rootless", dindImage: image })).rejects.toMatchObject({
      code: "DIND_UNUSABLE",
      message: expect.stringMatching(/exit code 1.*\n.*the image has no dockerd/),
      remedy: "add these lines",
    });
  });

  it("is refused on a network that is not the job's own", async () => {
    await expect(open({ mode: "rootless", options: "--network host" })).rejects.toMatchObject({
      code: "DIND_UNUSABLE",
      message: expect.stringContaining('"host"'),
    });
  });
});

type Wish = {
  mode: DindMode;
  dindImage?: string;
  jobImage?: string;
  options?: string;
  lease?: { cpus: number; memoryBytes: number };
};

function open({ mode, dindImage: other = dindImage, jobImage = image, options, lease }: Wish) {
  leaks = [];
  return openJobPlace(docker, request(options), {
    image: jobImage,
    shellArgv: ["-c", "exec sleep 1000"],
    hostName: "here",
    dind: { mode, image: async () => other, remedy: "add these lines" },
    lease,
    progress: () => {},
    onLeak,
    signal: AbortSignal.timeout(60_000),
  });
}

function onLeak(leak: unknown): void {
  leaks.push(leak);
}

function request(options?: string) {
  const container =
    options === undefined ? undefined : { image, env: {}, ports: [], volumes: [], options };
  return {
    jobId: JOB,
    runId: JOB,
    repository: "repo",
    labels: [],
    ...(container && { container }),
  };
}

/** As the job's user, who is no root. */
async function inJob(containerId: string, script: string) {
  return await execIn(docker, containerId, ["sh", "-c", `exec 2>&1; ${script}`]);
}

/** An image's root file system with nothing but busybox. */
async function putBase(containerId: string): Promise<void> {
  const base = pack();
  base.entry(
    { name: "busybox", mode: 0o755 },
    await readFile(await debianProgram("busybox-static", "bin/busybox")),
  );
  base.finalize();
  const outer = pack();
  outer.entry({ name: "tmp/base.tar" }, await buffer(base));
  outer.finalize();
  await docker.getContainer(containerId).putArchive(await buffer(outer), { path: "/" });
}
