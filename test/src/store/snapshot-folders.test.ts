import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { snapshotFolders } from "../../../src/store/snapshot-folders.ts";

let outer: string;
beforeEach(() => {
  outer = mkdtempSync(join(tmpdir(), "berth-snapshot-"));
});
afterEach(() => rmSync(outer, { recursive: true, force: true }));

describe("snapshotFolders", () => {
  it("copies everything, what git ignores too, but not git's own folder", async () => {
    const from = make("from", {
      "action.yml": "name: a",
      ".gitignore": "node_modules\n",
      "node_modules/x/index.js": "1",
      ".git/HEAD": "ref: x",
      "sub/.git/HEAD": "kept",
      "empty/": "",
    });
    chmodSync(join(from, "action.yml"), 0o700);
    symlinkSync("../node_modules/x", join(from, "sub/link"));
    const target = make("target", {});

    const hash = await snapshot([{ folder: from, path: "" }], target);

    expect(hash).toMatch(/^[0-9a-f]{40}$/);
    expect(read(target, "node_modules/x/index.js")).toBe("1");
    expect(read(target, "sub/link/index.js")).toBe("1");
    expect(readlinkSync(join(target, "sub/link"))).toBe("../node_modules/x");
    expect(read(target, "sub/.git/HEAD")).toBe("kept");
    expect(statSync(join(target, "empty")).isDirectory()).toBe(true);
    expect(statSync(join(target, "action.yml")).mode & 0o777).toBe(0o755);
    expect(() => statSync(join(target, ".git"))).toThrow("ENOENT");
  });

  it("has the same hash for the same content, wherever it lies and whenever it was written", async () => {
    const one = make("one", { "a/b": "1", c: "2" });
    const two = make("two", { c: "2", "a/b": "1", ".git/x": "y" });

    expect(await snapshot([{ folder: one, path: "" }])).toBe(
      await snapshot([{ folder: two, path: "" }], make("target", {})),
    );
  });

  it.each<[string, (folder: string) => void]>([
    ["content", (folder) => writeFileSync(join(folder, "a"), "2")],
    ["a name", (folder) => writeFileSync(join(folder, "b"), "")],
    ["an executable bit", (folder) => chmodSync(join(folder, "a"), 0o755)],
    ["a folder", (folder) => mkdirSync(join(folder, "d"))],
    ["a link", (folder) => symlinkSync("a", join(folder, "l"))],
  ])("has another hash for another %s", async (_title, change) => {
    const folder = make("folder", { a: "1" });
    const before = await snapshot([{ folder, path: "" }]);

    change(folder);

    expect(await snapshot([{ folder, path: "" }])).not.toBe(before);
  });

  it("puts folders of a repository together, each in place of what another has there", async () => {
    const root = make("root", { "action.yml": "root", "sub/old": "old", subway: "stays" });
    const sub = make("sub", { "action.yml": "sub" });
    const deep = make("deep", { "action.yml": "deep" });
    const target = make("target", {});

    await snapshot(
      [
        { folder: root, path: "" },
        { folder: deep, path: "sub/deep" },
        { folder: sub, path: "sub" },
      ],
      target,
    );

    expect(read(target, "action.yml")).toBe("root");
    expect(read(target, "sub/action.yml")).toBe("sub");
    expect(read(target, "sub/deep/action.yml")).toBe("deep");
    expect(read(target, "subway")).toBe("stays");
    expect(() => read(target, "sub/old")).toThrow("ENOENT");
  });

  it.each([
    ["../../etc/passwd", "a/l"],
    ["/etc/passwd", "l"],
  ])("refuses a link to %s", async (to, at) => {
    const folder = make("folder", { "a/b": "" });
    symlinkSync(to, join(folder, at));

    const made = snapshot([{ folder, path: "" }]);

    await expect(made).rejects.toMatchObject({ code: "ACTION_FETCH_FAILED" });
    await expect(made).rejects.toThrow(`${join(folder, at)} is a link that leads out`);
  });

  it("refuses what is neither file, folder nor link", async () => {
    const folder = make("folder", {});
    const server = createServer().listen(join(folder, "socket"));

    try {
      await expect(snapshot([{ folder, path: "" }])).rejects.toThrow(
        "neither file, folder nor link",
      );
    } finally {
      server.close();
    }
  });
});

function make(name: string, files: { [path: string]: string }): string {
  const folder = join(outer, name);
  mkdirSync(folder);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    if (path.endsWith("/")) mkdirSync(join(folder, path));
    else writeFileSync(join(folder, path), content);
  }
  return folder;
}

function read(folder: string, path: string): string {
  return readFileSync(join(folder, path), "utf8");
}

async function snapshot(
  parts: Parameters<typeof snapshotFolders>[0],
  target?: string,
): Promise<string> {
  const { signal } = new AbortController();
  return snapshotFolders(parts, target === undefined ? { signal } : { target, signal });
}
