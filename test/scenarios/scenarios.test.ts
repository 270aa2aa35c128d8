import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "@jest/globals";
import { makeTestImages } from "../engine.ts";

// Each workflow of this folder is one promise. It checks itself; comments at its top say what its own steps cannot see:
//   # backend: docker            needs a container (the rest run on the local backend, which is faster)
//   # args: --secret A=b         more arguments for `berth run`
//   # expect: failure            how the run ends, `success` unless said
//   # log-has: text              some line contains it; `=text` is a whole line. Likewise log-lacks.
const FOLDER = import.meta.dirname;
const ROOT = join(FOLDER, "../..");
const CONCURRENCY = 4;

type Scenario = {
  name: string;
  backend: string;
  args: string[];
  expected: string;
  has: string[];
  lacks: string[];
};

const scenarios = readdirSync(FOLDER)
  .filter((file) => file.endsWith(".yml"))
  .map(readScenario);

const local = scenarios.filter((scenario) => scenario.backend === "local");
const docker = scenarios.filter((scenario) => scenario.backend === "docker");

describe("on the local backend", () => promises(local));

describe("in containers", () => {
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

async function runBerth({ name, backend, args }: Scenario): Promise<Outcome> {
  const command = ["dist/berth.js", "run", "--json", "--backend", backend];
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [...command, ...args, `test/scenarios/${name}.yml`],
    { cwd: ROOT, maxBuffer: 64 << 20, timeout: 110_000 },
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
    expected: all("expect")[0] ?? "success",
    has: all("log-has"),
    lacks: all("log-lacks"),
  };
}
