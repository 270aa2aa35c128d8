import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { Engine } from "../../../../src/containers/connect-engine.ts";
import { describeEngine } from "../../../../src/containers/describe-engine.ts";
import { createContainer } from "../../../../src/containers/pods/create-container.ts";
import { execInPod } from "../../../../src/containers/pods/exec-in-pod.ts";
import { findPod } from "../../../../src/containers/pods/find-pod.ts";
import { listPods } from "../../../../src/containers/pods/list-pods.ts";
import { PodAnswer } from "../../../../src/containers/pods/pod-answer.ts";
import type { PodHost } from "../../../../src/containers/pods/pod-host.ts";
import { podLogs } from "../../../../src/containers/pods/pod-logs.ts";
import type { PodRequest } from "../../../../src/containers/pods/pod-request.ts";
import { removePod } from "../../../../src/containers/pods/remove-pod.ts";
import { engineForTests } from "../../../src/containers/engine.ts";
import { tinyImage } from "../../../src/containers/tiny-image.ts";

const IMAGE = "berth-test-pods:tiny";
const signal = new AbortController().signal;
const mine = randomBytes(4).toString("hex");

let engine: Engine;
let image: AsyncDisposable;
let host: PodHost;

beforeAll(async () => {
  engine = await engineForTests();
  image = await tinyImage(engine.docker, IMAGE, { changes: ['CMD ["sh"]'] });
  const description = await describeEngine(engine, signal);
  host = {
    name: "here",
    address: "127.0.0.1",
    isLocal: true,
    engines: async () => [{ ...description, endpoint: engine.endpoint, usable: true }],
    connect: async () => engine,
  };
});
afterAll(async () => {
  await image[Symbol.asyncDispose]();
});

const create = (request: Partial<PodRequest>, of = host) =>
  createContainer(
    of,
    { image: IMAGE, ...request },
    { allowsHostPath: () => false, progress: () => {}, signal },
  );

async function pod(answer: { id: string }) {
  return await findPod(answer.id, await listPods("here", engine), [engine]);
}

async function remove(...answers: { id: string }[]) {
  for (const answer of answers) await removePod(await pod(answer), { volumes: true });
}

describe("createContainer", () => {
  it("starts the image's own command, which stays, and answers by its schema", async () => {
    const answer = await create({ ports: ["127.0.0.1:0:8080", "53/udp"], memory: "64m" });
    try {
      expect(PodAnswer.parse(answer)).toEqual(answer);
      expect(answer).toMatchObject({
        host: "here",
        state: "running",
        gpuEnabled: false,
        user: null,
      });
      expect(answer.ports).toEqual([
        expect.objectContaining({ containerPort: 53, protocol: "udp" }),
        expect.objectContaining({ containerPort: 8080, hostIp: "127.0.0.1" }),
      ]);
      const [listed] = (await listPods("here", engine)).filter((one) => one.pod.id === answer.id);
      expect(listed?.pod).toMatchObject({
        name: answer.name,
        state: "running",
        ports: answer.ports,
      });
    } finally {
      await remove(answer);
    }
  });

  it("gives two who ask for one port at the same time two ports, and tells the second", async () => {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const wish = { ports: [`127.0.0.1:${port}:80`, "127.0.0.1:0:81"] };

    const both = await Promise.all([create(wish), create(wish)]);

    try {
      const ports = both.flatMap((one) => one.ports.map(({ hostPort }) => hostPort));
      expect(new Set(ports).size).toBe(4);
      expect(ports).toContain(port);
      expect(both.flatMap(({ warnings }) => warnings)).toEqual([
        `Port ${port} of the host is taken; port 80 has another.`,
      ]);
    } finally {
      await remove(...both);
    }
  });

  it("removes all that it had made when it fails, and says so", async () => {
    const volume = `pods-${mine}-failed`;
    const released: string[] = [];
    const withGpus: PodHost = {
      ...host,
      claimGpus: async (_, { podId }) => ({
        gpus: [{ uuid: "GPU-1", model: "Test" }],
        settings: {},
        release: async () => void released.push(podId),
      }),
    };
    const failing = create(
      { volumes: [`${volume}:/data`], gpu: "1", network: "no-such-network" },
      withGpus,
    );

    await expect(failing).rejects.toThrow(
      `What had been made was removed: the claim on its GPUs, the volume ${volume}.`,
    );
    expect(released).toHaveLength(1);
    const { Volumes: left } = await engine.docker.listVolumes({ filters: { name: [volume] } });
    expect(left ?? []).toEqual([]);
  });

  it("goes on without a GPU where one is optional, and fails where it is not", async () => {
    const answer = await create({ gpu: "auto" });
    try {
      expect(answer.gpuEnabled).toBe(false);
      expect(answer.warnings).toEqual([expect.stringMatching(/^It goes on without a GPU: /)]);
      await expect(create({ gpu: "1" })).rejects.toThrow(/does not tell of GPUs/);
    } finally {
      await remove(answer);
    }
  });

  it("names the flag when a name is taken", async () => {
    const name = `pods-${mine}-name`;
    const answer = await create({ name });
    try {
      await expect(create({ name })).rejects.toThrow(/of --name is not usable/);
    } finally {
      await remove(answer);
    }
  });

  it("keeps a volume with a name until it is asked to remove it", async () => {
    const volume = `pods-${mine}-kept`;
    const first = await create({ volumes: [`${volume}:/data`], command: ["touch", "/data/a"] });
    const kept = await removePod(await pod(first), { volumes: false });
    const second = await create({ volumes: [`${volume}:/data`], command: ["ls", "/data"] });

    await engine.docker.getContainer(second.id).wait();
    let printed = "";
    await podLogs(await pod(second), { follow: true, signal }, (data) => {
      printed += data;
    });
    await remove(second);
    await engine.docker.getVolume(volume).remove();

    expect(kept.keptVolumes).toEqual([volume]);
    expect(second.volumes).toEqual([]);
    expect(printed).toBe("a\n");
  });
});

describe("a pod", () => {
  it("runs commands with their exit codes, with and without a terminal", async () => {
    const answer = await create({});
    try {
      const found = await pod({ id: answer.id.slice(0, 12) });
      let printed = "";
      const write = (data: Buffer) => {
        printed += data;
      };
      const terminal = { size: () => ({ columns: 99, rows: 33 }), onResize: () => () => {} };

      const plain = await execInPod(found, {
        command: ["sh", "-c", "echo out; echo err >&2; exit 7"],
        ...{ write, signal },
      });
      const tty = await execInPod(found, {
        command: ["sh", "-c", "test -t 1 && echo terminal"],
        ...{ write, signal, terminal },
      });

      expect([plain, tty]).toEqual([7, 0]);
      // The two streams are not ordered between each other.
      expect(printed.split(/\r?\n/).toSorted()).toEqual(["", "err", "out", "terminal"]);
    } finally {
      await remove(answer);
    }
  });

  it("is not confused with a container of somebody else's", async () => {
    const foreign = await engine.docker.createContainer({
      Image: IMAGE,
      name: `pods-${mine}-other`,
    });
    try {
      await expect(findPod(`pods-${mine}-other`, [], [engine])).rejects.toThrow(/is left alone/);
      await expect(findPod(`pods-${mine}-none`, [], [engine])).rejects.toThrow(
        /There is no container/,
      );
    } finally {
      await foreign.remove({ force: true });
    }
  });
});
