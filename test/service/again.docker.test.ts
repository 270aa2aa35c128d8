import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { startServiceOnLocalhub, type TestService } from "./service-on-localhub.ts";
import { testRepository } from "./test-repository.ts";

let service: TestService;
beforeAll(async () => {
  service = await startServiceOnLocalhub({ files: {} });
});
afterAll(async () => await service[Symbol.asyncDispose]());

it("runs a job again with what needs it, when asked by its check's button or by GitHub", async () => {
  const repository = await testRepository(
    service,
    "again",
    `
on: push
jobs:
  build:
    runs-on: [self-hosted, berth]
    outputs: { v: "\${{ steps.v.outputs.v }}" }
    steps: [{ id: v, run: echo v=7 >> "$GITHUB_OUTPUT" }]
  test:
    needs: build
    runs-on: [self-hosted, berth]
    steps: [{ run: "test \${{ github.run_attempt }}\${{ needs.build.outputs.v }} = 27" }]
  tell:
    needs: test
    if: always()
    runs-on: [self-hosted, berth]
    steps: [{ run: "echo \${{ needs.test.result }}" }]
`,
  );
  const conclusions = (name: string) =>
    repository.checksNamed(name).map(({ conclusion }) => conclusion);

  await repository.push();
  await service.until(() => repository.run().status === "completed");
  service.hub.rerequestCheckRun((await repository.ended("test")).id);
  await service.until(() => !conclusions("tell").includes(null) && conclusions("tell").length > 1);
  const byButton = ["build", "test", "tell"].map(conclusions);
  service.hub.rerun(repository.run().id);
  await service.until(() => repository.run().attempt === 2 && conclusions("tell").length === 3);
  await service.until(() => repository.run().status === "completed");

  expect(byButton).toEqual([["success"], ["failure", "failure"], ["success", "success"]]);
  expect(conclusions("build")).toEqual(["success", "success"]);
  expect(conclusions("test").at(-1)).toBe("success");
  expect(conclusions("tell").at(-1)).toBe("success");
});

it("lets one job of a concurrency group run, whichever run of the repository it is of", async () => {
  const repository = await testRepository(
    service,
    "groups",
    `
on: push
jobs:
  deploy:
    runs-on: [self-hosted, berth]
    concurrency: { group: production, cancel-in-progress: true }
    steps: [{ run: "if [ \${{ github.run_number }} = 1 ]; then exec sleep 300; fi" }]
`,
  );

  await repository.push();
  await repository.check("deploy", ({ status }) => status === "in_progress");
  await repository.push();
  await service.until(() => repository.run().status === "completed");
  await service.until(() => repository.checksNamed("deploy").every(({ conclusion }) => conclusion));

  const [first, second] = repository.checksNamed("deploy");
  expect(first).toMatchObject({ conclusion: "cancelled" });
  expect(second).toMatchObject({ conclusion: "success" });
});
