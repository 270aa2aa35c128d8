import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { testEngine } from "../../engine.ts";
import { type ConfigFolder, configFolder, GITHUB } from "../config/config-folder.ts";
import { runBerth } from "./run-berth.ts";

let folder: ConfigFolder;
let env: { [name: string]: string };

beforeAll(async () => {
  env = { DOCKER_HOST: (await testEngine()).endpoint };
  folder = configFolder(`${GITHUB}
profiles:
  Light: { needs: { cpus: 0.5 } }
  Huge: { needs: { gpu: { count: 64 } } }
`);
});
afterAll(() => folder[Symbol.dispose]());

const here = () => ({ cwd: folder.root, env });

it("has the profiles of the configuration among the labels", async () => {
  const { code, stdout } = await runBerth(["labels"], here());

  expect(code).toBe(0);
  expect(stdout).toMatch(/^light +a profile of the configuration +yes$/m);
  expect(stdout).toMatch(/^huge +a profile of the configuration +\S+ has no GPU\.$/m);
});

it("says of a profile what it needs, and that a job with its name is Berth's", async () => {
  const args = ["labels", "--json", "-c", "berth.yml"];
  const answer = await runBerth([...args, "light", "mem=1g"], here());
  const unaddressed = await runBerth([...args, "mem=1g"], here());
  const misfit = await runBerth([...args, "huge"], here());

  expect(JSON.parse(answer.stdout)).toMatchObject({
    fits: true,
    addressed: true,
    need: { profile: "light", cpus: 0.5, memoryBytes: 1024 ** 3 },
  });
  expect(JSON.parse(unaddressed.stdout)).toMatchObject({ fits: true, addressed: false });
  expect(misfit.code).toBe(3);
});

it("takes what the configuration claims for what is Berth's", async () => {
  using greedy = configFolder(`${GITHUB}claim: labels\n`);

  const { stdout } = await runBerth(["labels", "--json", "mem=1g"], { cwd: greedy.root, env });

  expect(JSON.parse(stdout)).toMatchObject({ addressed: true });
});

it("knows no profile without a configuration, and wants one that is named", async () => {
  folder.write("elsewhere/file", "");

  const none = await runBerth(["labels", "light"], { cwd: join(folder.root, "elsewhere"), env });
  const wrong = await runBerth(["labels", "-c", "nowhere.yml"], here());

  expect(none.code).toBe(2);
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("nowhere.yml")]);
});

it("tells of each host of the configuration, and which of them fit", async () => {
  using several = configFolder(`${GITHUB}
hosts:
  - { name: near, slots: 3 }
  - { name: gone, docker: unix:///nowhere/docker.sock }
  - { name: far, ssh: me@far.invalid }
store: { path: store }
`);
  const at = { cwd: several.root, env };

  const [labels, fitting, hosts] = await Promise.all([
    runBerth(["labels"], at),
    runBerth(["labels", "berth", "mem=64m"], at),
    runBerth(["host", "ls"], at),
  ]);

  expect(labels.stdout).toMatch(/^LABEL +MEANING +ON near\n/);
  for (const { stdout } of [labels, hosts]) {
    expect(stdout).toMatch(/^near +3 +\d+ .*no service runs$/m);
    expect(stdout).toMatch(/^gone +1 +\? .*there is no such socket\.$/m);
    expect(stdout).toMatch(/^far +1 +\? .*there is no machine of the name far\.invalid\.$/m);
  }
  expect(fitting).toMatchObject({ code: 0, stdout: expect.stringMatching(/✓ near fits\.\n$/) });
});
