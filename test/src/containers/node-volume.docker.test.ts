import { randomBytes } from "node:crypto";
import { PassThrough, Readable } from "node:stream";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import type Docker from "dockerode";
import { pack } from "tar-stream";
import { hasNodeVolume } from "../../../src/containers/has-node-volume.ts";
import { nodeVolume } from "../../../src/containers/node-volume.ts";
import { removeVolume } from "../../../src/containers/remove-objects.ts";
import { engineForTests } from "./engine.ts";
import { tinyImage } from "./tiny-image.ts";

const IMAGE = `berth-test/node-volume:${process.pid}`;
const stack = new AsyncDisposableStack();
let docker: Docker;

beforeAll(async () => {
  ({ docker } = await engineForTests());
  stack.use(await tinyImage(docker, IMAGE));
});
afterAll(() => stack.disposeAsync());

it("is filled once, and the same for everybody after that", async () => {
  const contentHash = randomBytes(6).toString("hex");
  let fills = 0;
  const fill = () => {
    fills++;
    return archive();
  };

  const before = await hasNodeVolume(docker, contentHash);
  const first = await nodeVolume(docker, options(contentHash, fill));
  const second = await nodeVolume(docker, options(contentHash, fill));

  expect({ before, after: await hasNodeVolume(docker, contentHash) }).toEqual({
    before: false,
    after: true,
  });
  expect(second).toBe(first);
  expect(fills).toBe(1);
  await removeAll(contentHash);
});

it("is one when two processes fill it at once", async () => {
  const contentHash = randomBytes(6).toString("hex");

  const names = await Promise.all([1, 2, 3].map(() => nodeVolume(docker, options(contentHash))));

  expect(new Set(names).size).toBe(1);
  expect(await volumesOf(contentHash)).toHaveLength(2); // the volume and its marker
  await removeAll(contentHash);
});

it("does not use what was filled half-way", async () => {
  const contentHash = randomBytes(6).toString("hex");
  const torn = () => {
    const stream = new PassThrough();
    stream.write(Buffer.alloc(100));
    setTimeout(() => stream.destroy(new Error("the download broke")), 50);
    return stream;
  };

  await expect(nodeVolume(docker, options(contentHash, torn))).rejects.toThrow(
    "the download broke",
  );

  expect(await hasNodeVolume(docker, contentHash)).toBe(false);
  expect(await volumesOf(contentHash)).toEqual([]);
});

it("is filled anew when somebody removed the volume and left its marker", async () => {
  const contentHash = randomBytes(6).toString("hex");
  const first = await nodeVolume(docker, options(contentHash));
  await removeVolume(docker, first);

  const second = await nodeVolume(docker, options(contentHash));

  expect(second).not.toBe(first);
  expect(await volumesOf(contentHash)).toContain(second);
  await removeAll(contentHash);
});

function options(contentHash: string, tar: () => Readable = archive) {
  const signal = AbortSignal.timeout(60_000);
  return { contentHash, tar, image: IMAGE, progress() {}, signal };
}

function archive(): Readable {
  const tar = pack();
  tar.entry({ name: "node24/bin/node", mode: 0o755 }, "#!/bin/sh\n");
  tar.finalize();
  return Readable.from(tar);
}

async function volumesOf(contentHash: string): Promise<string[]> {
  const { Volumes: volumes } = await docker.listVolumes({ filters: { name: [contentHash] } });
  return (volumes ?? []).map(({ Name }) => Name);
}

async function removeAll(contentHash: string): Promise<void> {
  for (const name of await volumesOf(contentHash)) await removeVolume(docker, name);
}
