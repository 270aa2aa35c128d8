import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { startServiceOnLocalhub, type TestService } from "./service-on-localhub.ts";
import { testRepository } from "./test-repository.ts";

let service: TestService;
beforeAll(async () => {
  service = await startServiceOnLocalhub({ files: {}, config: { githubJob: "leave" } });
});
afterAll(async () => await service[Symbol.asyncDispose]());

it("gives a job the inputs that a person chose, with their types", async () => {
  const repository = await testRepository(
    service,
    "dispatched",
    `
on:
  workflow_dispatch:
    inputs:
      dry: { type: boolean }
      count: { type: number }
      where: { type: string, default: here }
jobs:
  test:
    runs-on: [self-hosted, berth]
    steps:
      - if: inputs.dry == true && inputs.count == 7 && inputs.where == 'here'
        run: test "\${{ github.event.inputs.dry }} \${{ github.event_name }}" = "true workflow_dispatch"
      - if: inputs.dry != true || inputs.count != 7 || inputs.where != 'here'
        run: exit 1
`,
  );

  const request = { workflow: "ci.yml", inputs: { dry: "true", count: "7" } };
  await service.hub.dispatch(repository.name, request);
  const check = await repository.ended("test");

  expect(check.conclusion).toBe("success");
  // githubJob: leave
  expect((await repository.job("test")).status).toBe("queued");
});

it("runs a pull request's merge commit, with the workflow that stands there", async () => {
  const workflow = (job: string) => `
on: pull_request
jobs:
  ${job}:
    runs-on: [self-hosted, berth]
    steps:
      - run: |
          test "\${{ github.sha }}" = "\${{ github.event.pull_request.merge_commit_sha }}"
          test "\${{ github.sha }}" != "\${{ github.event.pull_request.head.sha }}"
          test "\${{ github.ref }} \${{ github.head_ref }}" = "refs/pull/1/merge change"
`;
  const repository = await testRepository(service, "pulled", workflow("of-base"));
  const files = { ".github/workflows/ci.yml": workflow("of-head") };
  await service.hub.commit(repository.name, { branch: "change", message: "Change", files });

  const request = { title: "Change", head: "change", base: "main" };
  await service.hub.createPullRequest(repository.name, request);
  const check = await repository.ended("of-head");

  expect(check.conclusion).toBe("success");
  expect(Object.keys(repository.checks())).toEqual(["of-head"]);
});

it("finds after a restart what GitHub could not tell it", async () => {
  const repository = await testRepository(
    service,
    "missed",
    `
on: push
jobs:
  test:
    runs-on: [self-hosted, berth]
    steps: [{ run: "test '\${{ github.event.head_commit.message }}' = Change" }]
`,
  );

  await service.stop();
  service.hub.setFaults({ webhooks: { drop: 1 } });
  await repository.push();
  await service.hub.settled();
  service.hub.setFaults({});
  await service.start();
  const check = await repository.ended("test");

  expect(check.conclusion).toBe("success");
});
