import { hostname } from "node:os";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import type Docker from "dockerode";
import { cacheLabels, OWNER_LABEL } from "../../../src/containers/labels.ts";
import { removeContainer, removeVolume } from "../../../src/containers/remove-objects.ts";
import { oldActions, trimActions } from "../../../src/containers/trim-actions.ts";
import { engineForTests } from "./engine.ts";
import { tinyImage } from "./tiny-image.ts";

const IMAGE = `berth-test/trim:${process.pid}`;
const PREFIX = `berth-action-test-${process.pid}`;
const stack = new AsyncDisposableStack();
let docker: Docker;

beforeAll(async () => {
  ({ docker } = await engineForTests());
  stack.use(await tinyImage(docker, IMAGE));
  stack.defer(async () => {
    for (const name of await volumes()) await removeVolume(docker, name);
  });
});
afterAll(() => stack.disposeAsync());

it("removes what was cut short by a dead process, and keeps what is whole or being filled", async () => {
  const dead = { [OWNER_LABEL]: `${hostname()}:4000000:gone/0/0` };
  await makeVolume("a", { "io.berth.filled": `${PREFIX}-a-1` });
  await makeVolume("a-1", { "io.berth.content": `${PREFIX}-a`, ...dead });
  await makeVolume("a-2", { "io.berth.content": `${PREFIX}-a`, ...dead });
  await makeVolume("b-1", { "io.berth.content": `${PREFIX}-b` });

  const removed = await trimActions(docker);

  expect(removed.filter(isOurs)).toEqual([`${PREFIX}-a-2`]);
  expect(await volumes()).toEqual(["a", "a-1", "b-1"].map((name) => `${PREFIX}-${name}`));
});

it("chooses the oldest of many", () => {
  const listed = ["2026-03-01", "2026-01-01", "2026-02-01"].flatMap((day, n) => [
    { Name: `m${n}`, Labels: { "io.berth.filled": `v${n}` }, CreatedAt: `${day}T00:00:00Z` },
    { Name: `v${n}`, Labels: { "io.berth.content": `m${n}` }, CreatedAt: `${day}T00:00:00Z` },
  ]);

  expect(oldActions(listed, 1).map(({ Name }) => Name)).toEqual(["v2", "v1"]);
});

it("never takes what a container uses", async () => {
  await makeVolume("used", { "io.berth.filled": `${PREFIX}-used-1` });
  await makeVolume("used-1", {
    "io.berth.content": `${PREFIX}-used`,
    [OWNER_LABEL]: `${hostname()}:4000000:gone/0/0`,
  });
  const container = await docker.createContainer({
    Image: IMAGE,
    Entrypoint: ["/never-started"],
    HostConfig: { Binds: [`${PREFIX}-used-1:/action:ro`] },
  });
  await removeVolume(docker, `${PREFIX}-used`); // what marks it is gone, so it would go

  const whileUsed = await trimActions(docker);
  await removeContainer(docker, container.id);
  const afterwards = await trimActions(docker);

  expect(whileUsed.filter(isOurs)).toEqual([]);
  expect(afterwards.filter(isOurs)).toEqual([`${PREFIX}-used-1`]);
});

function isOurs(name: string): boolean {
  return name.startsWith(PREFIX);
}

async function makeVolume(name: string, labels: { [label: string]: string }): Promise<void> {
  const Labels = { ...cacheLabels(), "io.berth.action": "test/test@0", ...labels };
  await docker.createVolume({ Name: `${PREFIX}-${name}`, Labels });
}

async function volumes(): Promise<string[]> {
  const { Volumes: found } = await docker.listVolumes({ filters: { name: [PREFIX] } });
  return (found ?? []).map(({ Name }) => Name).sort();
}
