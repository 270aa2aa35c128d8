import { chmod, chown, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { blockMetadata, guardedBridge } from "../../src/containers/block-metadata.ts";
import { describeEngine } from "../../src/containers/describe-engine.ts";
import { JOB_LABEL } from "../../src/containers/labels.ts";
import { runJobs, seen } from "../bad-input/run-jobs.ts";
import {
  type RootlessEngine,
  startRootlessEngine,
  whyNoRootlessEngine,
} from "../rootless-engine.ts";
import type { Ended } from "./cli/run-berth.ts";

/** Of a network for documentation: nobody answers there, and without the rule nobody refuses. */
const METADATA = "192.0.2.77";
const HIGH_USER = 200_000;

let engine: RootlessEngine;
let image: string;
let folder: string;
let ended: Ended;

const whereOneCanRun = (await whyNoRootlessEngine()) === undefined ? describe : describe.skip;

whereOneCanRun("on the rootless engine of an ordinary user", () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "berth-rootless-"));
    engine = await startRootlessEngine();
    image = await engine.loadJobImage();
    await fillFolder();
    ended = await runJobs(jobs(), { args: ["--docker", engine.endpoint] });
  }, 120_000);
  afterAll(async () => {
    await engine?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  it("tells that it is rootless, and that limits hold only where it has a driver for them", async () => {
    const description = await describeEngine(engine.engine, AbortSignal.timeout(10_000));

    expect(description).toMatchObject({ rootless: true, kind: "docker" });
    expect(description.enforcesLimits).toBe(description.cgroupDriver !== "none");
  });

  it("runs a job as runner, who owns the workspace and may use sudo", () => {
    expect(seen(ended, "plain")).toMatchObject({ conclusion: "success" });
    expect(seen(ended, "plain").log).toEqual(
      expect.arrayContaining([
        "runner 1001 1001",
        "root 0",
        "workspace 1001:1001",
        "temp 1001:1001",
      ]),
    );
  });

  it("has no root in a job who would be root on the host", async () => {
    expect(seen(ended, "root")).toMatchObject({ conclusion: "success" });
    expect(seen(ended, "root").log).toEqual(
      expect.arrayContaining([`0 ${engine.uid} 1`, "secret refused"]),
    );
    // Root of a container is the engine's user, and nobody else of the container is anybody here.
    expect(await ownerOf("shared/of-root")).toBe(engine.uid);
    expect(await ownerOf("shared/of-runner")).toBeGreaterThan(65_536);
  });

  it("gives a named volume's files to whoever wrote them, in the next job too", () => {
    expect(seen(ended, "reader")).toMatchObject({ conclusion: "success" });
    expect(seen(ended, "reader").log).toContain("1001:1001 1234:0");
  });

  it("has services on the job's localhost, also on ports below 1024", () => {
    expect(seen(ended, "plain").log).toContain("hello from the service");
  });

  it("publishes a port of the host from 1024 on, where a lower one was asked for", () => {
    const { conclusion, log } = seen(ended, "published");

    expect(conclusion).toBe("success");
    expect(log).toContainEqual(expect.stringContaining("may not open port 443 of the host"));
    expect(log).toContainEqual(expect.stringMatching(/^port \d{4,5}$/));
  });

  it("says which limits it cannot hold a container to", async () => {
    const { cgroupDriver } = await describeEngine(engine.engine, AbortSignal.timeout(10_000));
    const warned = seen(ended, "published").log.filter((line) => line.includes("limit of memory"));

    expect(warned.length).toBe(cgroupDriver === "none" ? 1 : 0);
  });

  it("says of a user beyond its ids that there is none", () => {
    const { conclusion, reason } = seen(ended, "beyond");

    expect(conclusion).toBe("failure");
    expect(reason).toContain("has no such user or group");
  });

  it("keeps jobs from metadata addresses", async () => {
    const { docker } = engine.engine;
    const signal = AbortSignal.timeout(20_000);
    await blockMetadata(docker, { image, addresses: [METADATA] }, signal);
    const network = await docker.createNetwork({ Name: "guarded", Options: guardedBridge() });
    const [result] = await docker.run(
      image,
      ["sh", "-c", `curl --silent --max-time 5 http://${METADATA}/; exit $?`],
      process.stderr,
      { HostConfig: { NetworkMode: network.id, AutoRemove: true } },
    );

    // curl's "could not connect"; 28 would be its patience.
    expect(result).toMatchObject({ StatusCode: 7 });
  });

  it("leaves nothing of a job", async () => {
    const { docker } = engine.engine;
    const filters = { label: [JOB_LABEL] };
    const { Volumes } = await docker.listVolumes({ filters });

    expect(await docker.listContainers({ all: true, filters })).toEqual([]);
    expect(await docker.listNetworks({ filters })).toEqual([]);
    expect(Volumes ?? []).toEqual([]);
  });
});

/** A folder that the engine's user may write, and a secret of root's. */
async function fillFolder(): Promise<void> {
  await chmod(folder, 0o755);
  await writeFile(join(folder, "secret"), "root's own", { mode: 0o600 });
  await mkdir(join(folder, "shared"));
  await chown(join(folder, "shared"), engine.uid, engine.uid);
}

function jobs() {
  const web = {
    image,
    entrypoint: "python3",
    command:
      "-c \"import os,http.server as h; os.chdir('/tmp'); open('index.html','w').write('hello from the service\\n'); h.test(h.SimpleHTTPRequestHandler, port=8080)\"",
  };
  const ask = "until curl --silent http://localhost:443/; do sleep 0.1; done";
  return {
    plain: {
      services: { web: { ...web, ports: ["443:8080"] } },
      steps: [
        { uses: "actions/checkout@v4" },
        `echo "$(id -un) $(id -u) $(id -g)"; echo "$(sudo id -un) $(sudo id -u)"`,
        `touch mine; echo "workspace $(stat -c %u:%g mine)"; echo "temp $(stat -c %u:%g $RUNNER_TEMP)"`,
        ask,
      ],
    },
    root: {
      container: { image, options: "--user root", volumes: [`${folder}:/host`] },
      steps: [
        "head -1 /proc/self/uid_map | xargs",
        "cat /host/secret || echo secret refused",
        "touch /host/shared/of-root /host/shared/of-runner; chown runner /host/shared/of-runner",
      ],
    },
    writer: {
      container: { image, options: "--user root", volumes: ["kept:/kept"] },
      steps: ["touch /kept/a /kept/b; chown 1001:1001 /kept/a; chown 1234 /kept/b"],
    },
    reader: {
      needs: "writer",
      container: { image, volumes: ["kept:/kept"] },
      steps: ['echo "$(stat -c %u:%g /kept/a) $(stat -c %u:%g /kept/b)"'],
    },
    published: {
      container: { image, options: "--memory 64m" },
      services: { web: { ...web, ports: ["443:8080"] } },
      steps: ["echo port ${{ job.services.web.ports['8080'] }}"],
    },
    beyond: { container: { image, options: `--user ${HIGH_USER}` }, steps: ["id"] },
  };
}

async function ownerOf(path: string): Promise<number> {
  return (await stat(join(folder, path))).uid;
}
