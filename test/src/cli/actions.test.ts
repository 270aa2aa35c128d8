import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { type FakeGitHub, fakeGitHub, send } from "../github/fake-github.ts";
import { githubTarball } from "../github/tarball.ts";
import { conclusions, type Ended, ending, logOf, runBerth, startBerth } from "./run-berth.ts";
import { type TemporaryRepository, temporaryRepository } from "./temporary-repository.ts";

const COMMIT = "a1".repeat(20);
const CACHED = `.state/berth/actions/127.0.0.1%3APORT/acme/hello/${COMMIT}`;
const TOKEN = "ghp_thisIsVerySecret0";

let github: FakeGitHub;
let repository: TemporaryRepository;
beforeEach(async () => {
  github = await fakeGitHub();
  github.add("acme/hello", {
    refs: { "tags/v1": COMMIT },
    archives: { [COMMIT]: await githubTarball({ "action.yml": greeting("downloaded") }) },
  });
  repository = temporaryRepository({ ".github/workflows/ci.yml": workflow("acme/hello@v1") });
});
afterEach(async () => {
  repository[Symbol.dispose]();
  await github[Symbol.asyncDispose]();
});

describe("an action of another repository", () => {
  it("is downloaded by its commit and run; the next run has it already", async () => {
    const first = await run();
    const second = await run();

    for (const ended of [first, second]) expect(logOf(ended)).toContain("hello from downloaded");
    const paths = github.asked.map(({ path }) => path);
    expect(paths.filter((path) => path.includes("/commits/"))).toHaveLength(2);
    expect(paths.filter((path) => path.includes("/tarball/"))).toHaveLength(1);
    expect(readdirSync(cached())).toEqual(["action.yml"]);
  });

  it("with a whole commit needs no network the second time", async () => {
    repository.write(".github/workflows/ci.yml", workflow(`acme/hello@${COMMIT}`));
    await run();
    github.asked.length = 0;

    const ended = await run();

    expect(logOf(ended)).toContain("hello from downloaded");
    expect(github.asked).toEqual([]);
  });

  it("of a tag is the last known one when GitHub has no answer, with a warning", async () => {
    await run();
    github.trouble = (_request, response) => {
      send(response, 429, { message: "slow down" }, { "retry-after": "3600" });
      return true;
    };

    const ended = await run();

    expect(logOf(ended)).toContain("hello from downloaded");
    expect(logOf(ended).join("\n")).toMatch(
      /##\[warning\]Resolving action 'acme\/hello@v1': .* limits how often .* Going on with acme\/hello@v1 as it was on/,
    );
  });

  it("that is not there fails the job in its set-up, saying what was looked for and where", async () => {
    repository.write(".github/workflows/ci.yml", workflow("acme/nothing@v1"));

    const ended = await run();

    expect(ended.code).toBe(1);
    expect(conclusions(ended)).toEqual({ a: "failure" });
    const steps = ended.events.filter(({ type }) => type === "step_finished");
    expect(steps).toMatchObject([{ stepName: "Set up job", conclusion: "failure" }]);
    const [{ reason } = { reason: "" }] = ended.events.filter(
      ({ type }) => type === "job_finished",
    );
    expect(reason).toContain("repository not found");
    expect(reason).toContain(`Asked ${github.url} for acme/nothing`);
  });

  it("is downloaded with the token, which is shown nowhere", async () => {
    const ended = await run(["--token", TOKEN, "--log-level", "debug"]);
    github.trouble = ({ headers }, response) => {
      send(response, 401, { message: `Bad credentials: ${headers.authorization}` });
      return true;
    };
    const refused = await run(["--log-level", "debug"], { GITHUB_TOKEN: TOKEN });

    expect(ended.code).toBe(0);
    expect(refused.code).toBe(1);
    expect(refused.stdout).toContain("does not take the token");
    expect(github.asked.every(({ headers }) => headers.authorization === `Bearer ${TOKEN}`)).toBe(
      true,
    );
    for (const { stdout, stderr } of [ended, refused]) expect(stdout + stderr).not.toContain(TOKEN);
    expect(allFilesBelow(join(repository.root, ".state"))).not.toContain(TOKEN);
  });

  it("is downloaded once or twice, and whole for both, by two runs at the same moment", async () => {
    const ended = await Promise.all([run(), run()]);

    for (const one of ended) expect(logOf(one)).toContain("hello from downloaded");
    expect(readdirSync(cached())).toEqual(["action.yml"]);
    expect(leftOver()).toEqual([]);
  });

  it("is downloaded anew after a run that was killed in the middle of it, and nothing is left of that", async () => {
    const isAsked = new Promise<void>((resolve) => {
      github.trouble = (request) => {
        if (!request.url?.includes("/codeload/")) return false;
        resolve();
        return true;
      };
    });
    const killed = startBerth(flags(), { cwd: repository.root });
    await isAsked;
    killed.kill("SIGKILL");
    await ending(killed);
    const left = leftOver();
    github.trouble = undefined;

    const ended = await run();

    expect(left).toHaveLength(1);
    expect(logOf(ended)).toContain("hello from downloaded");
    expect(leftOver()).toEqual([]);
  });

  it("ends its download when the run is cancelled", async () => {
    const begun = startBerth(flags(), { cwd: repository.root });
    github.trouble = () => {
      begun.kill("SIGINT");
      return true;
    };

    const ended = await ending(begun);

    expect(ended.code).toBe(130);
    expect(conclusions(ended)).toEqual({ a: "cancelled" });
  });
});

describe("--local-action", () => {
  it("takes the action from the folder, as it was when the job began", async () => {
    repository.write("mine/action.yml", greeting("mine"));
    repository.write("mine/node_modules/x.js", "1");
    repository.write(".gitignore", "node_modules\n");

    const ended = await run(["--local-action", "Acme/hello@v1=mine"]);
    repository.write("mine/action.yml", greeting("changed"));
    const later = await run(["--local-action", "Acme/hello@v1=mine"]);

    expect(logOf(ended)).toContain("hello from mine");
    expect(logOf(later)).toContain("hello from changed");
    expect(github.asked).toEqual([]);
    expect(logOf(ended).join("\n")).toContain(
      `acme/hello@v1 is taken from ${join(repository.root, "mine")}, as --local-action says.`,
    );
  });

  it("takes the actions of one repository from several folders", async () => {
    repository.write(
      ".github/workflows/ci.yml",
      workflow("acme/tools/one@v1", "acme/tools/deep/two@v1", "acme/hello@v1"),
    );
    repository.write("a/action.yml", greeting("one"));
    repository.write("b/action.yaml", greeting("two"));
    repository.write("actions/list.txt", "# ours\n\nacme/tools/deep/two@v1=../b\r\n");

    const ended = await run([
      ...["--local-action", "acme/tools/one@v1=a"],
      ...["--local-action-file", "actions/list.txt"],
    ]);

    expect(logOf(ended)).toEqual(
      expect.arrayContaining(["hello from one", "hello from two", "hello from downloaded"]),
    );
  });

  it("knows the home folder, which no shell puts there", async () => {
    repository.write("home/mine/action.yml", greeting("home"));

    const ended = await run(["--local-action", "acme/hello@v1=~/mine"], {
      HOME: join(repository.root, "home"),
    });

    expect(logOf(ended)).toContain("hello from home");
  });

  it("means that ref and no other", async () => {
    repository.write("mine/action.yml", greeting("mine"));

    const ended = await run(["--local-action", "acme/hello@v1.0=mine"]);

    expect(logOf(ended)).toContain("hello from downloaded");
  });

  it.each<[string, string[], RegExp]>([
    [
      "no folder",
      ["acme/a@v1"],
      /^berth: --local-action acme\/a@v1 is not OWNER\/REPO\[\/PATH\]@REF=DIR\.$/m,
    ],
    ["no ref", ["acme/a=mine"], /is not OWNER\/REPO/],
    ["no owner", ["a@v1=mine"], /is not OWNER\/REPO/],
    ["a path that climbs", ["acme/a/../b@v1=mine"], /is not OWNER\/REPO/],
    [
      "a folder that is not there",
      ["acme/a@v1=nope"],
      /names .*\/nope, and there is no such folder\.$/m,
    ],
    [
      "a file",
      ["acme/a@v1=mine/action.yml"],
      /names .*\/mine\/action\.yml, which is no folder\.$/m,
    ],
    [
      "a folder without an action",
      ["acme/a@v1=empty"],
      /there is no action\.yml, action\.yaml or Dockerfile/,
    ],
    [
      "the same twice",
      ["acme/a@v1=mine", "ACME/A@v1=other"],
      /ACME\/A@v1=other is given twice; see --local-action acme\/a@v1=mine\./,
    ],
  ])("says what is wrong with %s, before anything starts", async (_title, given, says) => {
    writeFolders();

    const ended = await run(given.flatMap((one) => ["--local-action", one]));

    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(says);
    expect(ended.stdout).toBe("");
  });

  it.each<[string, string, RegExp]>([
    [
      "what cannot be read",
      "# one\nacme/a@v1=mine\nnonsense\n",
      /^list\.txt:3: this is not OWNER\/REPO/m,
    ],
    [
      "what is not there",
      "acme/a@v1=nope\n",
      /^list\.txt:1: this names .*\/nope, and there is no such folder/m,
    ],
    [
      "the same twice",
      "acme/a@v1=mine\nacme/a@v1=other\n",
      /^list\.txt:2: this is given twice; see list\.txt:1\./m,
    ],
  ])("names the line of a file for %s", async (_title, text, says) => {
    writeFolders();
    repository.write("list.txt", text);

    const ended = await run(["--local-action-file", "list.txt"]);

    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(says);
  });

  it("says that a file of them is not there", async () => {
    const ended = await run(["--local-action-file", "nope.txt"]);

    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(
      /--local-action-file .*nope\.txt cannot be read: there is no such file\./,
    );
  });
});

describe("actions/checkout of the repository itself", () => {
  beforeEach(async () => {
    repository.write("uncommitted.txt", "x");
    repository.write(
      ".github/workflows/ci.yml",
      "on: push\njobs:\n  a:\n    runs-on: x\n    steps: [{ uses: actions/checkout@v4 }, { run: ls }]\n",
    );
    github.add("actions/checkout", {
      refs: { "tags/v4": COMMIT },
      archives: { [COMMIT]: await githubTarball({ "action.yml": greeting("the real one") }) },
    });
  });

  it("yields the working tree, whatever --local-action says", async () => {
    repository.write("mine/action.yml", greeting("mine"));

    const ended = await run(["--local-action", "actions/checkout@v4=mine"]);

    expect(conclusions(ended)).toEqual({ a: "success" });
    expect(logOf(ended)).toContain("uncommitted.txt");
    expect(logOf(ended)).not.toContain("hello from mine");
    expect(github.asked).toEqual([]);
  });

  it("is the real action with --real-checkout", async () => {
    const ended = await run(["--real-checkout"]);

    expect(logOf(ended)).toContain("hello from the real one");
    expect(logOf(ended)).not.toContain("uncommitted.txt");
  });
});

it.each([
  ["--github-url", "github.example.com"],
  ["--api-url", "file:///etc"],
])("refuses a %s that is no web address", async (flag, address) => {
  const ended = await run([flag, address]);

  expect(ended.code).toBe(2);
  expect(ended.stderr).toContain(`${flag} ${address} is not an address that begins with https://`);
});

function flags(more: readonly string[] = []): string[] {
  return ["run", "--backend", "local", "--json", "--api-url", github.url, ...more];
}

function run(more: readonly string[] = [], env: { [name: string]: string } = {}): Promise<Ended> {
  return runBerth(flags(more), { cwd: repository.root, env });
}

function workflow(...uses: string[]): string {
  const steps = uses.map((one) => `      - uses: ${one}\n`).join("");
  return `on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n${steps}`;
}

function greeting(who: string): string {
  return `name: hello\nruns:\n  using: composite\n  steps: [{ run: echo hello from ${who}, shell: sh }]\n`;
}

function writeFolders(): void {
  repository.write("mine/action.yml", greeting("mine"));
  repository.write("other/action.yml", greeting("other"));
  repository.write("empty/README.md", "nothing");
}

function cached(): string {
  return join(repository.root, CACHED.replace("PORT", new URL(github.url).port));
}

/** Drafts of downloads in the cache. */
function leftOver(): string[] {
  const drafts = join(repository.root, ".state/berth/actions/.drafts");
  return existsSync(drafts) ? readdirSync(drafts) : [];
}

function allFilesBelow(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => readFileSync(join(parentPath, name), "utf8"))
    .join("\n");
}
