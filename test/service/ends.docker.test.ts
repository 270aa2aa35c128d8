import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { startServiceOnLocalhub, type TestService } from "./service-on-localhub.ts";
import { testRepository } from "./test-repository.ts";

let service: TestService;
beforeAll(async () => {
  service = await startServiceOnLocalhub({ files: {} });
});
afterAll(async () => await service[Symbol.asyncDispose]());

const LONG = `
on: push
jobs:
  long:
    runs-on: [self-hosted, berth]
    steps:
      - run: exec sleep 300
      - { if: always(), run: echo cleaned up >> "$GITHUB_STEP_SUMMARY" }
  after:
    needs: long
    runs-on: [self-hosted, berth]
    steps: [{ run: "true" }]
  always:
    needs: long
    if: always() && needs.long.result == 'cancelled'
    runs-on: [self-hosted, berth]
    steps: [{ run: "true" }]
`;

it("ends a job whichever way it is cancelled, its always() steps run, and leaves nothing", async () => {
  const { hub } = service;
  const cancelled = async (name: string, cancel: (job: string, check: number) => unknown) => {
    const repository = await testRepository(service, name, LONG);
    await repository.push();
    const running = await repository.check("long", ({ status }) => status === "in_progress");
    await cancel(running.externalId, running.id);
    const [long, always] = [await repository.ended("long"), await repository.ended("always")];
    await service.until(() => repository.run().status === "completed");
    return { long, always, after: await repository.ended("after") };
  };

  const ends = await Promise.all([
    cancelled("by-run", () => hub.cancelRun(hub.runs().find(isOf("octo/by-run"))?.id ?? 0)),
    cancelled("by-command", (job) => service.berth("jobs", "cancel", job)),
    cancelled("by-button", (_, check) => hub.pressCheckRunAction(check, "cancel")),
  ]);

  for (const { long, always, after } of ends) {
    expect(long).toMatchObject({
      conclusion: "cancelled",
      title: expect.stringMatching(/^Cancelled by \w+\.$/),
      text: expect.stringContaining("cleaned up"),
    });
    expect(always).toMatchObject({ conclusion: "success" });
    expect(after.conclusion).toMatch(/skipped|cancelled/);
  }
  expect(await service.leftovers()).toEqual([]);
});

function isOf(name: string) {
  return ({ repository }: { repository: string }) => repository === name;
}

const FAILS = `
on: push
jobs:
  test:
    runs-on: [self-hosted, berth]
    steps:
      - name: Compile
        run: |
          echo "::error file=src/a.c,line=3::missing semicolon"
          exit 3
  deploy: { needs: test, runs-on: [self-hosted, berth], steps: [{ run: "true" }] }
  tell:
    needs: [test, deploy]
    if: always()
    runs-on: [self-hosted, berth]
    steps:
      - run: test "\${{ needs.test.result }} \${{ needs.deploy.result }}" = "failure skipped"
  legs:
    runs-on: [self-hosted, berth]
    strategy: { matrix: { n: [1, 2] } }
    steps: [{ run: "if [ \${{ matrix.n }} = 1 ]; then exit 1; fi; exec sleep 300" }]
`;

it("shows the step that failed, skips what needs it, and stops the other legs of a matrix", async () => {
  const repository = await testRepository(service, "fails", FAILS);

  await repository.push();
  await service.until(() => repository.run().status === "completed");

  const checks = repository.checks();
  expect(checks.test).toMatchObject({
    conclusion: "failure",
    title: "Failed in step Compile: exit code 3",
    annotations: expect.arrayContaining([
      expect.objectContaining({ path: "src/a.c", message: "missing semicolon" }),
    ]),
  });
  expect(checks).toMatchObject({
    deploy: { conclusion: "skipped" },
    tell: { conclusion: "success" },
    "legs (1)": { conclusion: "failure" },
    "legs (2)": { conclusion: "cancelled" },
  });
});
