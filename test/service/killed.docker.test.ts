import { once } from "node:events";
import { expect, it } from "@jest/globals";
import { testEngine } from "../engine.ts";
import { startServiceOnLocalhub } from "./service-on-localhub.ts";
import { testRepository } from "./test-repository.ts";

const CI = `
on: push
jobs:
  runs:
    runs-on: [self-hosted, berth]
    steps:
      - run: |
          echo "begun"
          until [ -e /tmp/go ]; do sleep 0.1; done
          echo "went on"
          touch /tmp/over
      - run: echo "second"
  waits:
    runs-on: [self-hosted, berth]
    steps: [{ run: "true" }]
`;

it("comes back to a job's container after each kill -9, loses none of its log, and keeps what waits", async () => {
  await using service = await startServiceOnLocalhub({
    files: {},
    config: { hosts: [{ name: "here", slots: 1 }] },
  });
  const repository = await testRepository(service, "killed", CI);
  const { docker } = await testEngine();
  const containers = async () => {
    const filters = { label: ["io.berth.run"] };
    const all = await docker.listContainers({ all: true, filters });
    const { id } = repository.run();
    return all.filter(({ Labels }) => Labels["io.berth.run"]?.startsWith(`${id}-`));
  };
  const shell = async (script: string) => {
    const [job] = await containers();
    const target = docker.getContainer(job?.Id ?? "");
    const command = ["sh", "-c", script];
    const exec = await target.exec({ Cmd: command, AttachStdout: true });
    const stream = await exec.start({});
    await once(stream.resume(), "end");
    stream.destroy();
    return (await exec.inspect()).ExitCode === 0;
  };

  await repository.push();
  const running = await repository.check("runs", ({ title }) => /step 2/.test(title ?? ""));
  const before = await containers();
  await service.kill();
  await service.start();
  await repository.check("waits", ({ status }) => status === "queued");
  await service.kill();
  await shell("touch /tmp/go");
  await service.until(() => shell("test -e /tmp/over"));
  const after = await containers();
  await service.start();
  await service.until(() => repository.run().status === "completed");
  const log = await service.berth("jobs", "logs", running.externalId);

  expect(after.map(({ Id }) => Id)).toEqual(before.map(({ Id }) => Id));
  expect(repository.checks()).toMatchObject({
    runs: { id: running.id, conclusion: "success" },
    waits: { conclusion: "success" },
  });
  expect(repository.checksNamed("waits")).toHaveLength(1);
  expect(log.stdout.match(/^(\S+Z )?(begun|went on|second)$/gm)).toHaveLength(3);
  expect(await service.leftovers()).toEqual([]);
});
