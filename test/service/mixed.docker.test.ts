import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { startServiceOnLocalhub, type TestService } from "./service-on-localhub.ts";
import { testRepository } from "./test-repository.ts";

let service: TestService;
beforeAll(async () => {
  service = await startServiceOnLocalhub({ files: {}, config: { mixed: "run" } });
});
afterAll(async () => await service[Symbol.asyncDispose]());

it("starts a job that needs a hosted one when that has ended, and cancels GitHub's side when the last hosted one has", async () => {
  const repository = await testRepository(
    service,
    "needs-hosted",
    `
on: push
jobs:
  lint: { runs-on: ubuntu-latest, steps: [{ run: "true" }] }
  slow: { runs-on: ubuntu-latest, steps: [{ run: "true" }] }
  test:
    needs: lint
    runs-on: [self-hosted, berth]
    steps: [{ run: "test \${{ needs.lint.result }} = success" }]
  quick: { runs-on: [self-hosted, berth], steps: [{ run: "true" }] }
`,
  );
  const end = async (name: string) =>
    service.hub.completeJob((await repository.job(name)).id, { conclusion: "success" });

  await repository.push();
  await repository.ended("quick");
  const before = repository.checks();
  await end("lint");
  const test = await repository.ended("test");
  const whileSlow = repository.run().status;
  await end("slow");
  await service.until(() => repository.run().status === "completed");

  expect(before).not.toHaveProperty("test");
  expect(test.conclusion).toBe("success");
  expect(whileSlow).toBe("in_progress");
  expect(repository.run().conclusion).toBe("cancelled");
  expect(repository.checks()).toMatchObject({
    test: { conclusion: "success" },
    quick: { conclusion: "success" },
  });
});

it("runs what can run of a mixed workflow, and says of the rest why not", async () => {
  const repository = await testRepository(
    service,
    "mixed",
    `
on: push
jobs:
  version: { runs-on: ubuntu-latest, outputs: { v: "1" }, steps: [{ run: "true" }] }
  build: { runs-on: [self-hosted, berth], steps: [{ run: "true" }] }
  pack:
    needs: version
    runs-on: [self-hosted, berth]
    steps: [{ run: "echo \${{ needs.version.outputs.v }}" }]
  publish: { needs: build, runs-on: ubuntu-latest, steps: [{ run: "true" }] }
`,
  );

  await repository.push();
  const build = await repository.ended("build");
  service.hub.completeJob((await repository.job("version")).id, { conclusion: "success" });
  const pack = await repository.ended("pack");

  expect(service.said()).toContain("part of a run is left");
  expect(build.conclusion).toBe("success");
  expect(pack).toMatchObject({
    conclusion: "action_required",
    title: expect.stringContaining("uses outputs of 'version'"),
  });
  // What needs ours never begins there; the run is left to whoever looks at it.
  expect(repository.run().status).toBe("in_progress");
});

it("starts a job with an environment when GitHub lets it in, and says of one that needs ours that it never will", async () => {
  const repository = await testRepository(
    service,
    "reviewed",
    `
on: push
jobs:
  build: { runs-on: [self-hosted, berth], steps: [{ run: "true" }] }
  deploy:
    environment: production
    runs-on: [self-hosted, berth]
    steps: [{ run: "true" }]
  never:
    needs: build
    environment: production
    runs-on: [self-hosted, berth]
    steps: [{ run: "true" }]
`,
    { reviewedEnvironments: ["production"] },
  );

  await repository.push();
  await repository.ended("build");
  const waiting = await repository.check("deploy", ({ title }) => /environment/.test(title ?? ""));
  const never = await repository.ended("never");
  service.hub.approveJob((await repository.job("deploy")).id);
  const deploy = await repository.ended("deploy");

  expect(waiting.status).toBe("queued");
  expect(never).toMatchObject({
    conclusion: "action_required",
    title: expect.stringContaining("environment"),
  });
  expect(deploy.conclusion).toBe("success");
});
