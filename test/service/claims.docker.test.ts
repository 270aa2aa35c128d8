import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { startServiceOnLocalhub, type TestService } from "./service-on-localhub.ts";
import { testRepository } from "./test-repository.ts";

let service: TestService;
beforeAll(async () => {
  service = await startServiceOnLocalhub({ files: {} });
});
afterAll(async () => await service[Symbol.asyncDispose]());

it("says at once of a label that nobody has that no host could ever fit, and lets the job be cancelled", async () => {
  const repository = await testRepository(
    service,
    "nobody",
    `
on: push
jobs:
  train:
    runs-on: [berth, gpu=8]
    steps: [{ run: "true" }]
`,
  );

  await repository.push();
  const waiting = await repository.check("train", ({ title }) => title !== "Waits for a place");
  const why = await service.berth("jobs", "why", waiting.externalId);
  service.hub.pressCheckRunAction(waiting.id, "cancel");
  const ended = await repository.ended("train");

  expect(waiting).toMatchObject({ status: "queued", title: expect.stringMatching(/no host/i) });
  expect(why.stdout).toMatch(/no host/i);
  expect(ended).toMatchObject({ conclusion: "cancelled", title: "Cancelled by octocat." });
  await service.until(() => repository.run().conclusion === "cancelled");
});

it("leaves jobs alone that are not its own", async () => {
  const repository = await testRepository(
    service,
    "others",
    `
on: push
jobs:
  hosted: { runs-on: ubuntu-latest, steps: [{ run: "true" }] }
  unnamed: { runs-on: [self-hosted, linux], steps: [{ run: "true" }] }
  ours: { runs-on: [self-hosted, berth], steps: [{ run: "true" }] }
`,
  );

  await repository.push();
  await repository.ended("ours");

  expect(Object.keys(repository.checks())).toEqual(["ours"]);
  expect((await repository.job("unnamed")).status).toBe("queued");
});

const TAKEN = `
on: push
jobs:
  build:
    runs-on: [self-hosted, berth, RUNS]
    steps: [{ run: "exec sleep 300" }]
  deploy:
    needs: build
    runs-on: [self-hosted, berth]
    steps: [{ run: "test \${{ needs.build.result }} = success" }]
`;

it.each([
  ["waits", "gpu=8", "queued"],
  ["runs", "linux", "in_progress"],
])(
  "stops its copy of a job that another runner takes while it %s, and goes on with that one's result",
  async (when, label, status) => {
    const repository = await testRepository(service, `taken-${when}`, TAKEN.replace("RUNS", label));

    await repository.push();
    await repository.check("build", (check) => check.status === status);
    const { id } = await repository.job("build");
    service.hub.startJob(id, { name: "their-runner" });
    const build = await repository.ended("build");
    await service.until(async () => (await service.leftovers()).length === 0);
    service.hub.completeJob(id, { conclusion: "success" });
    const deploy = await repository.ended("deploy");

    expect(build).toMatchObject({
      conclusion: "neutral",
      title: expect.stringContaining("their-runner"),
    });
    expect(deploy.conclusion).toBe("success");
  },
);
