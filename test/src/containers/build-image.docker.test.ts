import { randomUUID } from "node:crypto";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import type Docker from "dockerode";
import { type Pack, pack } from "tar-stream";
import type { BuildSource } from "../../../runner/job/siblings.ts";
import { buildActionImage } from "../../../src/containers/build-image.ts";
import {
  examineContext,
  readContainerFolder,
  readFolder,
} from "../../../src/containers/build-image-context.ts";
import { engineForTests } from "./engine.ts";
import { tinyImage } from "./tiny-image.ts";

const BASE = `berth-test/build-${process.pid}:base`;
const stack = new AsyncDisposableStack();
const built = new Set<string>();
let docker: Docker;
let container: Docker.Container;
let folder: string;
let lines: string[];

beforeAll(async () => {
  ({ docker } = await engineForTests());
  stack.use(await tinyImage(docker, BASE));
  container = await docker.createContainer({ Image: BASE, Cmd: ["sleep", "1000"] });
  stack.defer(async () => void (await container.remove({ force: true })));
});
afterAll(async () => {
  for (const name of built) await docker.getImage(name).remove({ force: true });
  await stack.disposeAsync();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "berth-build-"));
  lines = [];
});
afterEach(() => rm(folder, { recursive: true }));

describe("the image of a docker action", () => {
  it("is built from its folder, and used again while that has the same content", async () => {
    await put({
      Dockerfile: `FROM ${BASE}\nRUN echo loud && echo ${randomUUID()}\nCOPY . /made\n`,
      "a/b.txt": "hi",
    });

    const first = await build();
    const printed = lines.splice(0);
    const second = await build();
    await put({ "a/b.txt": "other" });
    const third = await build();

    expect(first).toMatch(/^berth-action:[0-9a-f]{32}$/);
    expect(printed).toContain("loud");
    expect([second, lines[0]]).toEqual([first, expect.stringContaining("before")]);
    expect(third).not.toBe(first);
    const { Config: config } = await docker.getImage(first).inspect();
    expect(config.Labels).toEqual({ "io.berth.kind": "cache" });
  });

  it("differs by what may be run, by links and by the Dockerfile's name", async () => {
    await put({
      Dockerfile: `FROM ${BASE}\nCOPY . /\n`,
      Other: `FROM ${BASE}\nCOPY . /\n`,
      run: "x",
    });
    const names = [await build(), await build({ dockerfile: "Other" })];
    await chmod(join(folder, "run"), 0o755);
    names.push(await build());
    await symlink("run", join(folder, "link"));
    names.push(await build());

    expect(new Set(names).size).toBe(4);
  });

  it("leaves out what .dockerignore says, but for what the build needs", async () => {
    await put({
      Dockerfile: `FROM ${BASE}\nCOPY . /c/\nRUN ls -A /c /c/kept\n`,
      ".dockerignore": "# all but\n*\n!kept\nkept/*.log\n!kept/wanted.log\n",
      "kept/a.txt": randomUUID(),
      "kept/b.log": "1",
      "kept/wanted.log": "2",
      "other/c.txt": "3",
    });

    const name = await build();
    await put({ "other/c.txt": "changed" });

    expect(await build()).toBe(name);
    const listed = lines.slice(lines.indexOf("/c:"), lines.lastIndexOf("wanted.log") + 1);
    expect(listed).toEqual(["/c:", "kept", "/c/kept:", "a.txt", "wanted.log"]);
  });

  it("is the same whether its folder is here or in a container, and a link there stays in there", async () => {
    const text = randomUUID();
    await put({ Dockerfile: `FROM ${BASE}\nCOPY . /\n`, "sub/file": text });
    const tar = pack();
    await addFile(tar, "act/Dockerfile", `FROM ${BASE}\nCOPY . /\n`);
    await addFile(tar, "act/sub/file", text);
    tar.entry({ name: "linked", type: "symlink", linkname: "/act" });
    tar.entry({ name: "out", type: "symlink", linkname: `/..${folder}` });
    tar.finalize();
    await container.putArchive(Readable.from(tar), { path: "/" });

    const here = await build();
    const there = await build({ side: "job", folder: "/act" });
    const linked = await build({ side: "job", folder: "/linked" });

    expect([there, linked]).toEqual([here, here]);
    await expect(build({ side: "job", folder: "/out" })).rejects.toMatchObject({
      code: "ACTION_BUILD_FAILED",
    });
  });

  it.each(["trusted", "job"] as const)("needs a Dockerfile (%s)", async (side) => {
    await expect(build({ side, folder: side === "job" ? "/etc" : folder })).rejects.toMatchObject({
      code: "ACTION_BUILD_FAILED",
      message: expect.stringContaining("Dockerfile"),
    });
  });

  it("says with its last lines why it cannot be built, and leaves no container", async () => {
    const mark = randomUUID();
    await put({
      Dockerfile: `FROM ${BASE}\nENV MARK=${mark}\nRUN echo going well && echo badly >&2 && sh -c "exit 9"\n`,
    });

    await expect(build()).rejects.toMatchObject({
      code: "ACTION_BUILD_FAILED",
      message: expect.stringMatching(/returned a non-zero code: 9[\s\S]*going well[\s\S]*badly/),
    });

    expect(await containersWith(mark)).toEqual([]);
  });

  it("says what to do when its base image cannot be had", async () => {
    await put({ Dockerfile: "FROM 127.0.0.1:9/no/such:1\n" });

    await expect(build()).rejects.toMatchObject({
      code: "ACTION_BUILD_FAILED",
      message: expect.stringContaining("127.0.0.1:9"),
      remedy: expect.stringContaining("docker load"),
    });
  });

  it("says that it would need BuildKit", async () => {
    await put({ Dockerfile: `FROM ${BASE}\nRUN --mount=type=cache,target=/x true\n` });

    await expect(build()).rejects.toMatchObject({ remedy: expect.stringContaining("BuildKit") });
  });

  it("is found at once however a Dockerfile is written", async () => {
    await put({ Dockerfile: `${"\n".repeat(900_000)}FROM --platform=linux/none x$Y AS z` });

    await expect(build()).rejects.toMatchObject({ code: "ACTION_BUILD_FAILED" });
  });

  it("has its lines told in pieces where they never end", async () => {
    const megabytes = "dd if=/dev/zero bs=1000000 count=3 2>/dev/null";
    await put({ Dockerfile: `FROM ${BASE}\nENV MARK=${randomUUID()}\nRUN ${megabytes}\n` });

    await build();

    expect(lines.join("").split("\0").length - 1).toBe(3_000_000);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(200_000);
  });

  it("is not made from a folder without end", async () => {
    await put({ Dockerfile: "FROM scratch", a: "1234", b: "5678" });
    const limits = { bytes: 1000, entries: 100, names: 1000 };
    const examine = (less: Partial<typeof limits>) =>
      examineContext(readFolder(folder), "Dockerfile", { ...limits, ...less });

    await expect(examine({})).resolves.toMatchObject({ dockerfile: "FROM scratch" });
    for (const less of [{ bytes: 15 }, { entries: 2 }, { names: 11 }]) {
      await expect(examine(less)).rejects.toMatchObject({ code: "ACTION_BUILD_FAILED" });
    }
  });

  it("lets a container go whose folder was not read to the end", async () => {
    const other = await docker.createContainer({ Image: BASE, Cmd: ["true"] });
    const tar = pack();
    for (const name of ["a", "b"]) tar.entry({ name }, Buffer.alloc(8_000_000));
    tar.finalize();
    await other.putArchive(Readable.from(tar, { objectMode: false }), { path: "/tmp" });
    const { signal } = new AbortController();

    for await (const entry of readContainerFolder(other, "/tmp", signal)) if (entry.name) break;

    await expect(other.remove({ force: true })).resolves.toBeDefined();
  });

  it("is given up when aborted, with the container that worked on it", async () => {
    const mark = randomUUID();
    await put({ Dockerfile: `FROM ${BASE}\nENV MARK=${mark}\nRUN echo begun && sleep 1000\n` });
    const abort = new AbortController();

    const building = build(
      {},
      { signal: abort.signal, onLine: (line) => line === "begun" && abort.abort() },
    );

    await expect(building).rejects.toThrow(/abort/i);
    while ((await containersWith(mark)).length > 0) await pause(50);
  });
});

async function build(
  source: Partial<BuildSource> = {},
  { signal = new AbortController().signal, onLine = (_line: string): unknown => undefined } = {},
): Promise<string> {
  const name = await buildActionImage(
    docker,
    { side: "trusted", folder, dockerfile: "Dockerfile", ...source },
    {
      containerId: container.id,
      signal,
      progress(line) {
        lines.push(line);
        onLine(line);
      },
    },
  );
  built.add(name);
  return name;
}

async function put(files: { readonly [name: string]: string }): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
    await chmod(join(folder, name), 0o644);
    if (dirname(name) !== ".") await chmod(dirname(join(folder, name)), 0o755);
  }
}

async function addFile(tar: Pack, name: string, content: string): Promise<void> {
  tar.entry({ name: `${dirname(name)}/`, type: "directory", mode: 0o755 });
  tar.entry({ name, mode: 0o644 }, content);
}

/** Containers whose environment has a mark, in any state. */
async function containersWith(mark: string): Promise<string[]> {
  const all = await docker.listContainers({ all: true });
  const found = await Promise.all(
    all.map(({ Id }) =>
      docker
        .getContainer(Id)
        .inspect()
        .catch(() => undefined),
    ),
  );
  return found.flatMap((one) => (one?.Config.Env?.includes(`MARK=${mark}`) ? [one.Id] : []));
}
