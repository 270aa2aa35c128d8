import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { startServiceOnLocalhub, type TestService } from "./service-on-localhub.ts";
import { testRepository } from "./test-repository.ts";

const COMMAND = join(import.meta.dirname, "../../dist/berth.js");
/** Nobody answers there; without an address GitHub logs no deliveries. */
const NOWHERE = "http://127.0.0.1:9/";

let keys: string;
let service: TestService;
beforeAll(async () => {
  keys = await mkdtemp(join(tmpdir(), "berth-keys-"));
  const secretKeyFile = join(keys, "key");
  await promisify(execFile)(process.execPath, [COMMAND, "secret", "key", secretKeyFile]);
  service = await startServiceOnLocalhub({
    files: {},
    config: { secretKeyFile, intake: "poll", policy: { forks: "allow" } },
  });
  service.hub.setWebhook(NOWHERE);
});
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await rm(keys, { recursive: true, force: true });
});

const CI = `
on: [push, pull_request]
jobs:
  test:
    runs-on: [self-hosted, berth]
    env: { TOKEN: "\${{ secrets.TOKEN }}", OTHER: "\${{ secrets.OTHER }}" }
    steps:
      - run: |
          echo "token: $TOKEN, other: $OTHER"
          echo "length: \${#TOKEN}" >> "$GITHUB_STEP_SUMMARY"
`;

it("polls for a push, gives its job the secrets of Berth's own store, masks them, and names those it lacks", async () => {
  const repository = await testRepository(service, "secret", CI);
  const value = join(keys, "value");
  await writeFile(value, "hunter2hunter2");
  const set = ["secret", "set", "TOKEN", "--repo", repository.name, "--value-file", value];

  const { code } = await service.berth(...set);
  await repository.push();
  const check = await repository.ended("test");
  const log = await service.berth("jobs", "logs", check.externalId);

  expect(code).toBe(0);
  expect(check).toMatchObject({
    conclusion: "success",
    text: expect.stringContaining("length: 14"),
  });
  expect(log.stdout).toContain("token: ***, other: ");
  expect(`${log.stdout}${JSON.stringify(check)}${service.said()}`).not.toContain("hunter2");
  expect(check.annotations.map(({ message }) => message).join()).toMatch(/secret OTHER/);
});

it("gives a fork's run no secrets, even where its jobs may run", async () => {
  const repository = await testRepository(service, "forked", CI);
  const value = join(keys, "value");
  await writeFile(value, "hunter2hunter2");
  await service.berth("secret", "set", "TOKEN", "--org", "octo", "--value-file", value);
  await service.hub.createRepository("stranger", { name: "forked", forkOf: repository.name });
  const change = { branch: "patch", message: "Patch", files: { "a.txt": "1" } };
  await service.hub.commit("stranger/forked", change, { by: "stranger" });

  const request = { title: "Patch", head: "stranger:patch", base: "main" };
  await service.hub.createPullRequest(repository.name, request, { by: "stranger" });
  const check = await repository.ended("test");

  expect(check).toMatchObject({
    conclusion: "success",
    text: expect.stringContaining("length: 0"),
  });
});
