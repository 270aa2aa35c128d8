import { execFile } from "node:child_process";
import { cpSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "@jest/globals";
import { makeTestImages } from "../engine.ts";
import { temporaryRepository } from "../src/cli/temporary-repository.ts";

// Each workflow of this folder is one promise. It checks itself; comments at its top say what its own steps cannot see:
//   # backend: docker            needs a container (the rest run on the local backend, which is faster)
//   # args: --secret A=b         more arguments for `berth run`
//   # files: repository          runs in a new repository octo/scenarios with the files of that folder, committed, and the workflow
//   # expect: failure            how the run ends, `success` unless said
//   # log-has: text              some line contains it; `=text` is a whole line. Likewise log-lacks.
const FOLDER = import.meta.dirname;
const ROOT = join(FOLDER, "../..");
const CONCURRENCY = 4;

type Scenario = {
  name: string;
  backend: string;
  args: string[];
  files: string | undefined;
  expected: string;
  has: string[];
  lacks: string[];
};

/** Without BERTH_LONG a half of them is enough, another one each day; BERTH_SEED says which. */
const HALF = Number(process.env.BERTH_SEED ?? Math.floor(Date.now() / 86_400_000)) % 2;

const scenarios = readdirSync(FOLDER)
  .filter((file) => file.endsWith(".yml"))
  .filter((_, index) => process.env.BERTH_LONG !== undefined || index % 2 === HALF)
  .map(readScenario);

const local = scenarios.filter((scenario) => scenario.backend === "local");
const docker = scenarios.filter((scenario) => scenario.backend === "docker");

const which = process.env.BERTH_LONG === undefined ? `half ${HALF}` : "all";

describe(`on the local backend (${which})`, () => promises(local));

// Where no engine can run; `npm test` says so then.
const inContainers = process.env.BERTH_NO_ENGINE === "1" ? describe.skip : describe;
inContainers(`in containers (${which})`, () => {
  beforeAll(makeTestImages);
  promises(docker);
});

/** All runs of a group start up front, a few at a time, and each test waits for its own. */
function promises(group: Scenario[]): void {
  const runs = new Map<string, Promise<Outcome>>();

  beforeAll(() => {
    const queue = [...group];
    const settle = new Map<string, (outcome: Promise<Outcome>) => void>();
    for (const { name } of group)
      runs.set(name, new Promise((resolve) => settle.set(name, resolve)));
    const worker = async () => {
      for (let next = queue.shift(); next; next = queue.shift()) {
        const run = runBerth(next);
        settle.get(next.name)?.(run);
        await run;
      }
    };
    for (let n = 0; n < CONCURRENCY; n++) void worker();
  });

  it.each(group)("$name", async ({ name, expected, has, lacks }) => {
    const outcome = await (runs.get(name) as Promise<Outcome>);

    const problems = [
      ...has.filter((text) => !outcome.log.some(matches(text))).map((text) => `log lacks: ${text}`),
      ...lacks.filter((text) => outcome.log.some(matches(text))).map((text) => `log has: ${text}`),
    ];
    if (outcome.conclusion !== expected || problems.length > 0) {
      throw new Error([`ended ${outcome.conclusion}`, ...problems, outcome.text].join("\n"));
    }
    expect(outcome.conclusion).toBe(expected);
  });
}

type Outcome = { conclusion: string; log: string[]; text: string };

async function runBerth(scenario: Scenario): Promise<Outcome> {
  const file = `${scenario.name}.yml`;
  if (scenario.files === undefined) return runIn(ROOT, `test/scenarios/${file}`, scenario);
  using repository = temporaryRepository();
  cpSync(join(FOLDER, scenario.files), repository.root, { recursive: true });
  repository.write(`.github/workflows/${file}`, readFileSync(join(FOLDER, file), "utf8"));
  repository.git("remote", "add", "origin", "https://github.com/octo/scenarios.git");
  repository.commit("Everything");
  return await runIn(repository.root, `.github/workflows/${file}`, scenario);
}

async function runIn(cwd: string, file: string, { backend, args }: Scenario): Promise<Outcome> {
  const command = [join(ROOT, "dist/berth.js"), "run", "--json", "--backend", backend];
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [...command, ...args, file],
    { cwd, maxBuffer: 64 << 20, timeout: 110_000 },
  ).catch((error: { stdout: string; stderr: string }) => error);

  const events = stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { type: string; line?: string; conclusion?: string });
  return {
    conclusion: events.find((event) => event.type === "run_finished")?.conclusion ?? "never",
    log: events.flatMap((event) => (event.type === "log" ? [event.line ?? ""] : [])),
    text: `${stdout.slice(-6000)}\n${stderr.slice(-2000)}`,
  };
}

function matches(text: string): (line: string) => boolean {
  return text.startsWith("=") ? (line) => line === text.slice(1) : (line) => line.includes(text);
}

function readScenario(file: string): Scenario {
  const head = readFileSync(join(FOLDER, file), "utf8").matchAll(/^# ([a-z-]+): (.*)$/gm);
  const said = [...head].map(([, key, value]) => ({ key, value: value ?? "" }));
  const all = (key: string) => said.filter((line) => line.key === key).map((line) => line.value);
  return {
    name: file.replace(/\.yml$/, ""),
    backend: all("backend")[0] ?? "local",
    args: all("args").flatMap((line) => line.split(" ")),
    files: all("files")[0],
    expected: all("expect")[0] ?? "success",
    has: all("log-has"),
    lacks: all("log-lacks"),
  };
}
