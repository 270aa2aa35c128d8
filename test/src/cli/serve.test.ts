import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { lockService } from "../../../src/store/service-lock.ts";
import { type ConfigFolder, configFolder } from "../config/config-folder.ts";
import { type Ended, ending, runBerth, startBerth } from "./run-berth.ts";

/** Nobody listens there, neither for GitHub nor as an engine. */
const GITHUB = `github:
  apiUrl: http://127.87.65.43:21000
  app: { id: 1, privateKeyFile: key.pem }
  webhookSecretFile: secret
listen: 127.0.0.1:0
hosts: [{ name: away, docker: tcp://127.87.65.43:21000 }]
`;

let folder: ConfigFolder;

beforeAll(() => {
  folder = configFolder("");
});
afterAll(() => folder[Symbol.dispose]());

async function serve(config: string, ...flags: string[]): Promise<Ended> {
  const file = `${crypto.randomUUID()}.yml`;
  folder.write(file, config);
  return await runBerth(["serve", "-c", file, ...flags], { cwd: folder.root });
}

it("ends with 2 and the place when the configuration is wrong", async () => {
  folder.write("no-key", "hello");
  const [unknown, missing, noKey, noSecret, none] = await Promise.all([
    serve(`${GITHUB}hostz: []\n`),
    serve(GITHUB.replace("key.pem", "gone.pem")),
    serve(GITHUB.replace("key.pem", "no-key")),
    serve(GITHUB.replace("  webhookSecretFile: secret\n", "")),
    runBerth(["serve", "-c", "nowhere.yml"], { cwd: folder.root }),
  ]);

  expect([unknown, missing, noKey, noSecret, none].map(({ code }) => code)).toEqual(
    Array(5).fill(2),
  );
  expect(unknown.stderr).toMatch(/^\S+\.yml:7:1: .*hostz/);
  expect(missing.stderr).toMatch(
    /^\S+\.yml:3:\d+: .*gone\.pem cannot be read: there is no such file/,
  );
  expect(noKey.stderr).toMatch(/^\S+\.yml:3:\d+: .*privateKeyFile holds no private key/);
  expect(noSecret.stderr).toMatch(/^\S+\.yml:1:1: webhookSecretFile is missing/);
  expect(none.stderr).toContain(`There is no configuration at ${folder.root}/nowhere.yml.`);
});

it("ends with 3 when no host can run jobs, having told that GitHub does not answer", async () => {
  const { code, stderr } = await serve(`${GITHUB}store: { path: alone }\n`);

  expect(code).toBe(3);
  expect(stderr).toMatch(/WARN: GitHub does not answer, .*nothing listens there/);
  expect(stderr).toMatch(/^berth: No host of the configuration can run jobs\.\nThe host away /m);
  expect(stderr).toMatch(/berth doctor looks closer\.\n$/);
  expect(stderr).not.toMatch(/^ +at /m);
  expect(stderr).not.toContain("listening on");
});

it("starts while a machine over SSH is away, says why it is, and waits for it", async () => {
  const far = 'hosts: [{ name: far, ssh: "me@127.87.65.43:21000", slots: 2 }]';
  folder.write("far.yml", `${GITHUB.replace(/^hosts: .*$/m, far)}store: { path: far }\n`);
  const child = startBerth(["serve", "-c", "far.yml"], { cwd: folder.root });
  const ended = ending(child);
  child.stderr?.on("data", (bytes) => {
    if (String(bytes).includes("listening on")) child.kill("SIGKILL");
  });

  const { stderr } = await ended;

  expect(stderr).toContain("listening on http://127.0.0.1:");
  expect(stderr).toMatch(/host takes no jobs.*far.*127\.87\.65\.43/s);
});

it("says which process has the store, and that a database is damaged or cannot be made", async () => {
  await using _lock = await lockService(join(folder.root, "taken"));
  await mkdir(join(folder.root, "damaged"));
  await writeFile(join(folder.root, "damaged/berth.db"), Buffer.alloc(20_000, "no database"));

  const [taken, damaged, inTheWay] = await Promise.all([
    serve(`${GITHUB}store: { path: taken }\n`),
    serve(`${GITHUB}store: { path: damaged }\n`),
    serve(`${GITHUB}store: { path: key.pem/store }\n`),
  ]);

  expect([taken, damaged, inTheWay].map(({ code }) => code)).toEqual([1, 1, 1]);
  expect(taken.stderr).toContain(`Another service (process ${process.pid}) uses the store`);
  expect(damaged.stderr).toMatch(/^berth: The database \S+berth\.db is damaged/);
  expect(inTheWay.stderr).toContain("a file is in the way");
});

it("writes one JSON object a line, and what each engine is asked at debug, without secrets", async () => {
  const config = `${GITHUB}store: { path: json }\nlog: { format: json }\n`;
  const { stderr } = await serve(config, "--log-level", "debug");

  const lines = stderr.split("\n").filter((line) => line.startsWith("{"));
  const told = lines.map((line) => JSON.parse(line) as { [field: string]: unknown });
  expect(told).toContainEqual(
    expect.objectContaining({
      ...{ msg: "asked the engine", host: "away", method: "GET", path: "/version" },
    }),
  );
  expect(stderr).not.toContain("it's a secret");
  expect(stderr).not.toContain("PRIVATE KEY");
});

it("explains its signals and exit codes", async () => {
  const { code, stdout } = await runBerth(["serve", "--help"], { cwd: folder.root });

  expect(code).toBe(0);
  for (const word of ["listening on", "SIGHUP", "SIGTERM", "--drain-timeout", "Example:"]) {
    expect(stdout).toContain(word);
  }
});
