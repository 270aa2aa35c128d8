import { describe, expect, it } from "@jest/globals";
import { parseActionReference, repositoryKey } from "../../../runner/actions/parse-reference.ts";
import {
  compositeTooDeep,
  type PreparedActions,
  type PrepareOptions,
  prepareActions,
} from "../../../runner/actions/prepare-actions.ts";
import type { StepDescription } from "../../../runner/job/job-description.ts";
import { repositoriesOnDisk } from "./repositories-on-disk.ts";

const NODE = { "action.yml": "runs: { using: node20, main: a.js }" };
const composite = (...uses: string[]) => ({
  "action.yml": `runs: { using: composite, steps: [${uses.map((name) => `{ uses: "${name}" }`).join(", ")}] }`,
});
const steps = (...uses: string[]): StepDescription[] =>
  uses.map((name, index) => ({ kind: "uses", id: `s${index}`, if: "false", uses: name }));

async function prepare(
  { source }: Pick<PrepareOptions, "source">,
  uses: readonly string[],
  options: Partial<PrepareOptions> = {},
): Promise<PreparedActions & { readonly log: string[] }> {
  const log: string[] = [];
  const prepared = await prepareActions(steps(...uses), {
    source,
    log: (line) => void log.push(line),
    signal: new AbortController().signal,
    ...options,
  });
  return { ...prepared, log };
}

function find(prepared: PreparedActions, uses: string) {
  const reference = parseActionReference(uses);
  if (reference.kind !== "repository") throw new Error(`${uses} is in no repository`);
  return prepared.find(reference);
}

describe("the actions of a job", () => {
  it("are fetched once per repository and ref, skipped steps' too, and found by how they are called", async () => {
    await using disk = await repositoriesOnDisk({
      "o/r@v1": { ...NODE, "sub/dir/action.yaml": "runs: { using: node24, main: b.js }" },
      "o/r@feature/x": NODE,
    });

    const prepared = await prepare(disk, [
      "o/r@v1",
      "./local",
      "docker://alpine",
      "O/R/sub/dir@v1",
      "o/r@feature/x",
      "o/r@v1",
    ]);

    expect(disk.asked).toEqual(["o/r@v1", "o/r@feature/x"]);
    expect(prepared.log).toEqual([
      "Getting action download info",
      `Download action repository 'o/r@v1' (SHA:${"0".padStart(40, "c")})`,
      `Download action repository 'o/r@feature/x' (SHA:${"1".padStart(40, "c")})`,
    ]);
    expect(prepared.repositories).toEqual([
      disk.repository("o/r@v1"),
      disk.repository("o/r@feature/x"),
    ]);
    expect(find(prepared, "o/r/sub/dir@v1")).toMatchObject({
      folder: "o/r/v1/sub/dir",
      manifestFile: "o/r/v1/sub/dir/action.yaml",
      manifest: { runs: { version: "node24", main: "b.js" } },
      repository: disk.repository("o/r@v1"),
    });
    expect(find(prepared, "O/r@feature/x")).toMatchObject({
      folder: "o/r/feature/x",
      manifestFile: "o/r/feature/x/action.yml",
    });
    expect(() => find(prepared, "o/other@v1")).toThrow("was not among those fetched");
  });

  it("need nothing fetched when none is in another repository", async () => {
    const prepared = await prepare({ source: undefined }, ["./a", "docker://b"]);

    expect(prepared).toMatchObject({ repositories: [], log: [] });
  });

  it("are fetched side by side, but not all at once", async () => {
    const names = Array.from({ length: 20 }, (_, index) => `o/r${index}@v1`);
    await using disk = await repositoriesOnDisk(
      Object.fromEntries(names.map((name) => [name, NODE])),
    );

    const prepared = await prepare(disk, names);

    expect(disk.mostAtOnce()).toBeGreaterThan(1);
    expect(disk.mostAtOnce()).toBeLessThan(20);
    expect(prepared.repositories.map(({ repo }) => repo)).toEqual(
      names.map((name) => name.slice(2, -3)),
    );
  });

  it("are fetched at the commit that an earlier life of the job got", async () => {
    await using disk = await repositoriesOnDisk({ "o/r@main": NODE, "o/q@main": NODE });
    const commit = "a".repeat(40);
    const key = repositoryKey({ owner: "O", repo: "R", ref: "main" });

    const prepared = await prepare(disk, ["o/r@main", "o/q@main"], {
      pinned: new Map([[key, commit]]),
    });

    expect(disk.asked).toEqual([`o/r@main at ${commit}`, "o/q@main"]);
    expect(find(prepared, "o/r@main").repository.commit).toBe(commit);
  });
});

describe("composite actions", () => {
  it("have theirs fetched too, level by level", async () => {
    await using disk = await repositoriesOnDisk({
      "o/a@v1": {
        ...composite("o/b@v1", "./x", "o/a/inner@v1", "docker://alpine"),
        "inner/action.yml": NODE["action.yml"],
      },
      "o/b@v1": composite("o/c@v1", "o/d@v1"),
      "o/c@v1": NODE,
      "o/d@v1": NODE,
    });

    const prepared = await prepare(disk, ["o/a@v1", "o/d@v1"]);

    expect(disk.asked).toEqual(["o/a@v1", "o/d@v1", "o/b@v1", "o/c@v1"]);
    expect(prepared.log.filter((line) => line.startsWith("Getting"))).toHaveLength(3);
    expect(find(prepared, "o/c@v1").folder).toBe("o/c/v1");
    expect(find(prepared, "o/a/inner@v1").folder).toBe("o/a/v1/inner");
  });

  it("mean their own repository by $/", async () => {
    await using disk = await repositoriesOnDisk({
      "o/a@main": {
        ...composite("$/inner"),
        "inner/action.yml": composite("$/deep/er")["action.yml"],
        "deep/er/action.yml": NODE["action.yml"],
      },
    });

    const prepared = await prepare(disk, ["o/a@main"]);

    expect(find(prepared, "o/a@main").manifest.runs).toMatchObject({
      steps: [{ uses: "o/a/inner@main" }],
    });
    expect(find(prepared, "o/a/deep/er@main").folder).toBe("o/a/main/deep/er");
    expect(disk.asked).toEqual(["o/a@main"]);
  });

  it("and workflows mean by $/ the repository that the caller names", async () => {
    await using disk = await repositoriesOnDisk({
      "me/mine@abc": { "x/action.yml": NODE["action.yml"] },
    });

    const prepared = await prepare(disk, ["$/x"], {
      containing: { owner: "me", repo: "mine", ref: "abc" },
    });

    expect(find(prepared, "me/mine/x@abc").folder).toBe("me/mine/abc/x");
    await expect(prepare(disk, ["$/x"])).rejects.toThrow("'$/x' means the repository and commit");
  });

  it("may be in nine others, no deeper", async () => {
    const chain = (length: number) =>
      Object.fromEntries([
        ...Array.from({ length }, (_, index) => [
          `o/c${index}@v1`,
          composite(`o/c${index + 1}@v1`),
        ]),
        [`o/c${length}@v1`, NODE],
      ]);
    await using ten = await repositoriesOnDisk(chain(10));
    await using eleven = await repositoriesOnDisk(chain(11));

    expect((await prepare(ten, ["o/c0@v1"])).repositories).toHaveLength(11);
    await expect(prepare(eleven, ["o/c0@v1"])).rejects.toMatchObject({
      code: "ACTION_INVALID",
      message: "Composite action depth exceeded max depth 9",
      remedy: expect.stringContaining("o/c0@v1 → o/c1@v1 → "),
    });
    await expect(prepare(ten, ["o/c0@v1"], { depth: 1 })).rejects.toThrow("max depth 9");
  });

  it.each<[string, { [name: string]: object }]>([
    ["itself", { "o/a@v1": composite("o/a@v1") }],
    ["itself by $/", { "o/a@v1": composite("$/.") }],
    [
      "each other",
      { "o/a@v1": composite("o/b@v1", "o/b@v1"), "o/b@v1": composite("o/a@v1", "o/a@v1") },
    ],
  ])("that use %s are refused", async (_title, repositories) => {
    await using disk = await repositoriesOnDisk(repositories as never);

    await expect(prepare(disk, ["o/a@v1"])).rejects.toThrow(compositeTooDeep([]).message);
  });

  it("of the workspace ask for what the job does not have yet", async () => {
    await using disk = await repositoriesOnDisk({
      "o/a@v1": { ...NODE, "sub/action.yml": NODE["action.yml"] },
      "o/b@v1": NODE,
    });
    const known = await prepare(disk, ["o/a@v1"]);

    const prepared = await prepare(disk, ["o/a/sub@v1", "o/b@v1"], { known, depth: 1 });
    const again = await prepare(disk, ["o/a@v1", "o/b@v1"], { known: prepared, depth: 1 });

    expect(disk.asked).toEqual(["o/a@v1", "o/b@v1"]);
    expect(prepared.repositories).toEqual([disk.repository("o/b@v1")]);
    expect(find(prepared, "o/a/sub@v1").folder).toBe("o/a/v1/sub");
    expect(find(prepared, "o/a@v1").folder).toBe("o/a/v1");
    expect(again).toMatchObject({ repositories: [], log: [] });
  });
});

describe("what cannot be fetched", () => {
  it("is told, all of one level at once", async () => {
    await using disk = await repositoriesOnDisk({ "o/a@v1": NODE });

    await expect(prepare(disk, ["o/x@v1", "o/a@v1", "o/y@v1", "o/x/sub@v1"])).rejects.toMatchObject(
      {
        code: "ACTION_NOT_FOUND",
        message: "Unable to resolve action o/x@v1\nUnable to resolve action o/y@v1",
        remedy: "Look again.",
      },
    );
    await expect(prepare(disk, ["o/x@v1"])).rejects.toMatchObject({ remedy: "Look again." });
  });

  it("for want of a source says so", async () => {
    await expect(prepare({ source: undefined }, ["o/x/y@v1"])).rejects.toMatchObject({
      code: "ACTION_FETCH_FAILED",
      message:
        "The action o/x/y@v1 is in another repository, and nothing here fetches repositories.",
    });
  });

  it("matters only when it is needed after all", async () => {
    await using disk = await repositoriesOnDisk({ "o/a@v1": composite("actions/checkout@v4") });
    const isOptional = ({ uses }: { uses: string }) => uses.startsWith("actions/checkout@");

    const prepared = await prepare(disk, ["actions/checkout@v4", "o/a@v1"], { isOptional });

    expect(disk.asked).toEqual(["actions/checkout@v4", "o/a@v1"]);
    expect(prepared.repositories).toEqual([disk.repository("o/a@v1")]);
    expect(() => find(prepared, "actions/checkout@v4")).toThrow(
      "Unable to resolve action actions/checkout@v4",
    );
    await expect(
      prepare(disk, ["actions/checkout@v4", "actions/checkout/sub@v4"], { isOptional }),
    ).rejects.toThrow("Unable to resolve action actions/checkout@v4");
  });

  it("for the sake of an optional action alone is not needed either", async () => {
    await using disk = await repositoriesOnDisk({ "o/a@v1": composite("o/gone@v1") });

    const prepared = await prepare(disk, ["o/a@v1"], {
      isOptional: ({ uses }) => uses === "o/a@v1",
    });

    expect(find(prepared, "o/a@v1").manifest.runs.using).toBe("composite");
    expect(() => find(prepared, "o/gone@v1")).toThrow("Unable to resolve");
  });

  it("because the job is cancelled is no failure of an action", async () => {
    await using disk = await repositoriesOnDisk({ "o/a@v1": NODE });
    const cancel = new AbortController();

    const preparing = prepare(disk, ["o/a@v1"], { signal: cancel.signal });
    cancel.abort();

    await expect(preparing).rejects.toBe(cancel.signal.reason);
  });

  it("for another reason is not hidden", async () => {
    const source = { fetch: () => Promise.reject(new TypeError("a bug")) };

    await expect(prepare({ source }, ["o/a@v1"])).rejects.toThrow(TypeError);
  });
});

describe("the manifest of an action", () => {
  it.each<[string, { [path: string]: string }, string, object]>([
    [
      "action.yml",
      { "action.yml": "runs: { using: node20, main: yml }", "action.yaml": "x", Dockerfile: "" },
      "action.yml",
      { main: "yml" },
    ],
    [
      "action.yaml",
      { "action.yaml": "runs: { using: node20, main: yaml }", Dockerfile: "" },
      "action.yaml",
      { main: "yaml" },
    ],
    [
      "Dockerfile",
      { Dockerfile: "FROM x", dockerfile: "FROM y" },
      "Dockerfile",
      { using: "docker", image: { kind: "dockerfile", path: "Dockerfile" } },
    ],
    [
      "dockerfile",
      { dockerfile: "FROM y" },
      "dockerfile",
      { using: "docker", image: { kind: "dockerfile", path: "dockerfile" } },
    ],
    [
      "the file, not a folder of its name",
      { "action.yml/x": "", "action.yaml": "runs: { using: node20, main: a }" },
      "action.yaml",
      { main: "a" },
    ],
  ])("is %s", async (_title, files, name, runs) => {
    await using disk = await repositoriesOnDisk({ "o/r@v1": files });

    const prepared = await prepare(disk, ["o/r@v1"]);

    expect(find(prepared, "o/r@v1")).toMatchObject({
      manifestFile: `o/r/v1/${name}`,
      manifest: { inputs: {}, runs },
    });
  });

  it.each([
    [
      "o/r@v1",
      "for action 'o/r@v1'. Looked in the root of o/r at ccc",
      "Check the path and the ref",
    ],
    ["o/r/a/b@v1", "for action 'o/r/a/b@v1'. Looked in the folder 'a/b' of o/r", "Check the path"],
    [
      "o/r/.github/workflows/x.yml@v1",
      "for action 'o/r/.github/workflows/x.yml@v1'.",
      "A workflow of another",
    ],
    ["o/r/README.md/x@v1", "for action 'o/r/README.md/x@v1'.", "Check the path"],
  ])("of %s is missing", async (uses, message, remedy) => {
    await using disk = await repositoriesOnDisk({
      "o/r@v1": { "README.md": "", ".github/workflows/x.yml": "" },
    });

    await expect(prepare(disk, [uses])).rejects.toMatchObject({
      code: "ACTION_NOT_FOUND",
      message: expect.stringContaining(
        `Can't find 'action.yml', 'action.yaml' or 'Dockerfile' ${message}`,
      ),
      remedy: expect.stringContaining(remedy),
    });
  });

  it("that is wrong is told with its place in the repository", async () => {
    await using disk = await repositoriesOnDisk({
      "o/r@v1": { "sub/action.yml": "name: x\nruns: { using: node1 }" },
      "o/q@v1": { "action.yml": "runs: []" },
    });

    await expect(prepare(disk, ["o/r/sub@v1", "o/q@v1"])).rejects.toMatchObject({
      code: "ACTION_INVALID",
      message: expect.stringMatching(
        /^o\/r\/v1\/sub\/action\.yml:2:16: 'using: node1' [\s\S]*\no\/q\/v1\/action\.yml:1:7: A sequence was not expected/,
      ),
    });
  });

  it("that is too large is not read to its end", async () => {
    await using disk = await repositoriesOnDisk({
      "o/r@v1": { "action.yml": `#${"x".repeat(3_000_000)}` },
    });

    await expect(prepare(disk, ["o/r@v1"])).rejects.toThrow("The file is larger than 1 MiB");
  });

  it.each<[string, string, { [path: string]: string | { linkTo: string } }]>([
    ["the file", "o/r@v1", { "action.yml": { linkTo: "../1/action.yml" } }],
    ["its folder", "o/r/sub@v1", { sub: { linkTo: "../1" } }],
    ["a folder above", "o/r/sub/dir@v1", { sub: { linkTo: "../1" } }],
    ["an absolute link", "o/r/sub@v1", { "sub/action.yml": { linkTo: "/etc/hostname" } }],
    ["its Dockerfile", "o/r@v1", { Dockerfile: { linkTo: "/etc/hostname" } }],
    [
      "a Dockerfile it names",
      "o/r@v1",
      { "action.yml": "runs: { using: docker, image: x/Dockerfile }", x: { linkTo: "../1" } },
    ],
    [
      "a Dockerfile above",
      "o/r@v1",
      { "action.yml": "runs: { using: docker, image: ../1/Dockerfile }" },
    ],
  ])("is not read where %s leads out of the repository", async (_title, uses, files) => {
    await using disk = await repositoriesOnDisk({
      "o/r@v1": files,
      "o/outside@v1": { ...NODE, Dockerfile: "", "dir/action.yml": NODE["action.yml"] },
    });

    await expect(prepare(disk, [uses])).rejects.toMatchObject({
      code: "ACTION_INVALID",
      message: expect.stringContaining("leads out of the action's repository"),
    });
  });

  it("may be a link within the repository", async () => {
    await using disk = await repositoriesOnDisk({
      "o/r@v1": {
        "real/a.yml": NODE["action.yml"],
        "action.yml": { linkTo: "real/a.yml" },
        sub: { linkTo: "." },
      },
    });

    const prepared = await prepare(disk, ["o/r@v1", "o/r/sub@v1"]);

    expect(find(prepared, "o/r/sub@v1").manifestFile).toBe("o/r/v1/sub/action.yml");
  });

  it("that is a circle of links is none", async () => {
    await using disk = await repositoriesOnDisk({
      "o/r@v1": { "action.yml": { linkTo: "action.yml" } },
    });

    await expect(prepare(disk, ["o/r@v1"])).rejects.toThrow("Can't find 'action.yml'");
  });
});

describe("what a docker action is built from", () => {
  it.each<[string, string, { [path: string]: string }, string, string]>([
    [
      "beside action.yml",
      "o/r@v1",
      { "action.yml": "runs: { using: docker, image: Dockerfile }", Dockerfile: "" },
      "",
      "Dockerfile",
    ],
    [
      "in a folder",
      "o/r@v1",
      { "action.yml": "runs: { using: docker, image: ./d/Dockerfile.x }", "d/Dockerfile.x": "" },
      "/d",
      "Dockerfile.x",
    ],
    [
      "above",
      "o/r/a/b@v1",
      { "a/b/action.yml": "runs: { using: docker, image: ../../Dockerfile }", Dockerfile: "" },
      "",
      "Dockerfile",
    ],
    ["without action.yml", "o/r/a@v1", { "a/dockerfile": "" }, "/a", "dockerfile"],
  ])("lies %s", async (_title, uses, files, folder, dockerfile) => {
    await using disk = await repositoriesOnDisk({ "o/r@v1": files });

    const prepared = await prepare(disk, [uses]);

    expect(find(prepared, uses).build).toEqual({
      side: "trusted",
      folder: disk.repository("o/r@v1").folder + folder,
      dockerfile,
    });
  });

  it("must be there", async () => {
    await using disk = await repositoriesOnDisk({
      "o/r@v1": { "action.yml": "runs: { using: docker, image: d/Dockerfile }" },
      "o/q@v1": { "action.yml": "runs: { using: docker, image: docker://alpine }" },
    });

    await expect(prepare(disk, ["o/r@v1"])).rejects.toThrow(
      "Action 'o/r@v1' is to be built from 'd/Dockerfile', which is not in its repository.",
    );
    expect(find(await prepare(disk, ["o/q@v1"]), "o/q@v1")).not.toHaveProperty("build");
  });
});
