import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { startServiceOnLocalhub, type TestService } from "./service-on-localhub.ts";
import { testRepository } from "./test-repository.ts";

let service: TestService;
beforeAll(async () => {
  service = await startServiceOnLocalhub({
    files: {},
    config: {
      profiles: {
        mounts: { container: { volumes: [{ source: "/srv/data/${matrix.at}", target: "/data" }] } },
        small: { needs: { memory: "64m" }, retries: 1 },
      },
      policy: { hostPaths: ["/srv/data"], images: ["node:*"] },
    },
  });
});
afterAll(async () => await service[Symbol.asyncDispose]());

it("says which rule denies what a job asks for, and makes nothing for it", async () => {
  const repository = await testRepository(
    service,
    "denied",
    `
on: push
jobs:
  privileged:
    runs-on: [self-hosted, berth]
    container: { image: node:24, options: --privileged }
    steps: [{ run: "true" }]
  paths:
    runs-on: [self-hosted, mounts]
    strategy: { matrix: { at: [../../etc] } }
    steps: [{ run: "true" }]
  image:
    runs-on: [self-hosted, berth, "image=python:3.12"]
    steps: [{ run: "true" }]
`,
  );

  await repository.push();
  const names = ["privileged", "paths (../../etc)", "image"];
  const checks = await Promise.all(names.map((name) => repository.ended(name)));

  const titles = checks.map(({ conclusion, title }) => [conclusion, title?.split(":")[0]]);
  expect(titles).toEqual([
    ["action_required", "Denied by options.privileged"],
    ["action_required", "Denied by policy.hostPaths"],
    ["action_required", "Denied by policy.images"],
  ]);
  expect(await service.leftovers()).toEqual([]);
});

it("denies runs for a fork's code", async () => {
  const repository = await testRepository(
    service,
    "forked",
    `
on: pull_request
jobs:
  test: { runs-on: [self-hosted, berth], steps: [{ run: "true" }] }
`,
  );
  const fork = { name: "forked", forkOf: repository.name };
  await service.hub.createRepository("stranger", fork);
  const change = { branch: "patch", message: "Patch", files: { "a.txt": "1" } };
  await service.hub.commit("stranger/forked", change, { by: "stranger" });

  const request = { title: "Patch", head: "stranger:patch", base: "main" };
  await service.hub.createPullRequest(repository.name, request, { by: "stranger" });
  const check = await repository.ended("test");

  expect(check).toMatchObject({
    conclusion: "action_required",
    title: expect.stringContaining("Denied by policy.forks"),
  });
});

it("says that a job was killed for want of memory, and runs it again where its profile says so", async () => {
  const repository = await testRepository(
    service,
    "oom",
    `
on: push
jobs:
  eats:
    runs-on: [self-hosted, small]
    steps: [{ run: "exec tail /dev/zero" }]
`,
  );

  await repository.push();
  const [first, last] = await service.until(() => {
    const checks = repository.checksNamed("eats");
    return checks.length === 2 && checks.every((one) => one.status === "completed") && checks;
  });

  expect(first).toMatchObject({ conclusion: "neutral" });
  expect(last).toMatchObject({
    conclusion: "failure",
    title: expect.stringMatching(/^Out of memory/),
    summary: expect.stringContaining("mem="),
  });
  expect(await service.leftovers()).toEqual([]);
});
