import { hostname } from "node:os";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import type Docker from "dockerode";
import { collectGarbage } from "../../../src/containers/gc.ts";
import { cacheLabels, jobLabels, OWNER_LABEL } from "../../../src/containers/labels.ts";
import { removeDeadHelpers } from "../../../src/containers/remove-dead-helpers.ts";
import {
  removeContainer,
  removeNetwork,
  removeVolume,
} from "../../../src/containers/remove-objects.ts";
import { engineForTests } from "./engine.ts";
import { tinyImage } from "./tiny-image.ts";

const IMAGE = `berth-test/gc:${process.pid}`;
const DEAD = { [OWNER_LABEL]: `${hostname()}:4000000:gone/0/0` };
const stack = new AsyncDisposableStack();
let docker: Docker;

beforeAll(async () => {
  ({ docker } = await engineForTests());
  stack.use(await tinyImage(docker, IMAGE));
});
afterAll(() => stack.disposeAsync());

it("removes all that a dead process left of its jobs, and nothing of a living one or of an author", async () => {
  const run = `gc-${process.pid}`;
  const author = `berth-test-author-${process.pid}`;
  const dead = await makeJob(`${run}-dead`, run, { ...DEAD }, author);
  const alive = await makeJob(`${run}-alive`, run, {}, author);

  const { removed, leaks } = await collectGarbage(docker, { run });

  expect(leaks).toEqual([]);
  expect(removed.map(({ kind }) => kind)).toEqual(["container", "network", "volume"]);
  expect(new Set(removed.map(({ job }) => job))).toEqual(new Set([`${run}-dead`]));
  expect(await exist(dead)).toEqual([false, false, false]);
  expect(await exist(alive)).toEqual([true, true, true]);
  await docker.getVolume(author).inspect();

  await remove(alive);
  await removeVolume(docker, author);
});

it("removes a helper whose maker is dead, and none of a living one", async () => {
  const make = (labels: object) =>
    docker.createContainer({ Image: IMAGE, Cmd: ["/x"], Labels: { ...cacheLabels(), ...labels } });
  const [dead, alive] = await Promise.all([make(DEAD), make({})]);

  const removed = await removeDeadHelpers(docker);

  expect(removed).toContain(dead.id);
  expect(removed).not.toContain(alive.id);
  await expect(dead.inspect()).rejects.toMatchObject({ statusCode: 404 });
  await removeContainer(docker, alive.id);
});

it("keeps to one run, and to what the caller knows of owners", async () => {
  const [mine, other] = [`gc-mine-${process.pid}`, `gc-other-${process.pid}`];
  const adopted = await makeJob(`${mine}-adopted`, mine, { ...DEAD });
  const foreign = await makeJob(`${other}-job`, other, { ...DEAD });

  const isAlive = (labels: { [name: string]: string }) =>
    labels["io.berth.job"] === `${mine}-adopted`;
  const { removed } = await collectGarbage(docker, { run: mine, isAlive });

  expect(removed).toEqual([]);
  expect(await exist(foreign)).toEqual([true, true, true]);
  await remove(adopted);
  await remove(foreign);
});

it("leaves a job alone whose maker is dead when somebody has come back to it", async () => {
  const run = `gc-back-${process.pid}`;
  const job = await makeJob(`${run}-job`, run, { ...DEAD });
  const name = `${run}-owner`;
  await docker.createVolume({
    Name: name,
    Labels: { ...jobLabels({ kind: "job", jobId: `${run}-job`, runId: run }) },
  });

  const { removed } = await collectGarbage(docker, { run });

  expect(removed).toEqual([]);
  await remove(job);
  await removeVolume(docker, name);
});

it("never takes a cache", async () => {
  const name = `berth-test-cache-${process.pid}`;
  const run = `gc-cache-${process.pid}`;
  const labels = { ...jobLabels({ kind: "job", jobId: "x", runId: run }), ...DEAD };
  await docker.createVolume({ Name: name, Labels: { ...labels, "io.berth.kind": "cache" } });

  const { removed } = await collectGarbage(docker, { run });

  expect(removed).toEqual([]);
  await removeVolume(docker, name);
});

type Made = { container: string; network: string; volume: string };

async function makeJob(
  jobId: string,
  runId: string,
  owner: { [label: string]: string },
  authors?: string,
): Promise<Made> {
  const labels = { ...jobLabels({ kind: "job", jobId, runId }), ...owner };
  const network = await docker.createNetwork({ Name: jobId, Labels: labels });
  await docker.createVolume({ Name: jobId, Labels: labels });
  const container = await docker.createContainer({
    Image: IMAGE,
    Entrypoint: ["/bin/sleep", "600"],
    Labels: labels,
    HostConfig: {
      Init: true,
      NetworkMode: jobId,
      Binds: [`${jobId}:/own`, ...(authors === undefined ? [] : [`${authors}:/authors`])],
    },
  });
  await container.start();
  return { container: container.id, network: network.id, volume: jobId };
}

function exist({ container, network, volume }: Made): Promise<boolean[]> {
  const objects = [
    docker.getContainer(container),
    docker.getNetwork(network),
    docker.getVolume(volume),
  ];
  return Promise.all(
    objects.map((object) =>
      object.inspect().then(
        () => true,
        () => false,
      ),
    ),
  );
}

async function remove({ container, network, volume }: Made): Promise<void> {
  await removeContainer(docker, container);
  await removeNetwork(docker, network);
  await removeVolume(docker, volume);
}
