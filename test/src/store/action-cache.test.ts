import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { type ActionKey, openActionCache } from "../../../src/store/action-cache.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-cache-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("the cache of actions", () => {
  it("gives back what was added, to whoever opens it later", async () => {
    await using first = open();
    const added = await first.add(REPOSITORY, fill("content"));
    await using later = open({ owner: "later" });

    expect(await later.find(key("a"))).toBe(added);
    expect(readFileSync(join(added, "file"), "utf8")).toBe("content");
    expect(added).toBe(join(folder, "api.github.com/o/r/a"));
  });

  it("knows nothing of what was never added", async () => {
    await using cache = open();

    expect(await cache.find(key("a"))).toBeUndefined();
    expect(await cache.recall({ ...key("a"), ref: "main" })).toBeUndefined();
  });

  it("does not tell capitals from small letters in names, as GitHub does not", async () => {
    await using cache = open();
    const added = await cache.add({ ...REPOSITORY, owner: "Acme", repo: "Tool" }, fill("x"));

    expect(await cache.find({ ...key("a"), owner: "acme", repo: "tOOL" })).toBe(added);
  });

  it.each(["..", ".", ".users", "a/b", "x".repeat(300), "~"])(
    "has a place of its own for a name like %j",
    async (commit) => {
      await using cache = open();

      const added = await cache.add(REPOSITORY, fill(commit, commit));

      expect(await cache.find(key(commit))).toBe(added);
      expect(readFileSync(join(added, "file"), "utf8")).toBe(commit);
      expect(added.startsWith(join(folder, "api.github.com/o/r/"))).toBe(true);
    },
  );

  it("keeps nothing of what could not be filled", async () => {
    await using cache = open();

    const added = cache.add(REPOSITORY, async (draft) => {
      writeFileSync(join(draft, "half"), "");
      throw new Error("torn");
    });

    await expect(added).rejects.toThrow("torn");
    expect(await cache.find(key("a"))).toBeUndefined();
    expect(readdirSync(join(folder, ".drafts"))).toEqual([]);
  });

  it("keeps what was there first when two add the same", async () => {
    await using cache = open();

    await cache.add(REPOSITORY, async (draft) => {
      await using other = open({ owner: "other" });
      await other.add(REPOSITORY, fill("theirs"));
      return fill("mine")(draft);
    });

    const found = (await cache.find(key("a"))) ?? "";
    expect(readFileSync(join(found, "file"), "utf8")).toBe("theirs");
    expect(readdirSync(join(folder, ".drafts"))).toEqual([]);
  });

  it("is filled by several processes at once, each of which finds it whole", async () => {
    const program = `
      import { mkdirSync, writeFileSync, readdirSync } from "node:fs";
      import { openActionCache } from ${JSON.stringify(join(import.meta.dirname, "../../../src/store/action-cache.ts"))};
      await using cache = openActionCache(process.argv[1], { owner: String(process.pid), isAlive: () => true });
      const key = { server: "s", owner: "o", repo: "r", commit: "c" };
      const folder = await cache.add(key, async (draft) => {
        for (let n = 0; n < 200; n++) { writeFileSync(draft + "/" + n, "x"); await null; }
        return key;
      });
      console.log(folder, readdirSync(folder).length);
    `;
    const printed = await Promise.all(Array.from({ length: 4 }, () => runNode(program, folder)));

    expect(new Set(printed)).toEqual(new Set([`${join(folder, "s/o/r/c")} 200\n`]));
    expect(readdirSync(join(folder, ".drafts"))).toEqual([]);
    expect(readdirSync(join(folder, ".users"))).toEqual([]);
  });

  it("removes the drafts of dead processes, and leaves those of living ones", async () => {
    mkdirSync(join(folder, ".drafts/dead~1~2"), { recursive: true });
    mkdirSync(join(folder, ".drafts/alive~1~2"));
    await using cache = open({ isAlive: (owner) => owner !== "dead" });

    await cache.add(REPOSITORY, fill("x"));

    expect(readdirSync(join(folder, ".drafts"))).toEqual(["alive~1~2"]);
  });

  it("remembers what a ref stood for, and when", async () => {
    await using cache = open();
    const ref = { ...key("a"), ref: "releases/v1" };
    await cache.remember(ref, "1111");
    await cache.remember(ref, "2222");

    const known = await cache.recall(ref);

    expect(known?.commit).toBe("2222");
    expect(known?.asOf.getTime()).toBeGreaterThan(Date.now() - 60_000);
    expect(await cache.recall({ ...ref, ref: "releases" })).toBeUndefined();
  });
});

describe("a cache that is full", () => {
  it("loses what was not used for the longest time", async () => {
    await fillWith("old", "older", "newest");
    age("old", 2);
    age("older", 3);
    age("newest", 1);
    await using cache = open({ maxBytes: 2 * BLOCK });

    await cache.add(REPOSITORY, fill("x", "added"));

    expect(stored()).toEqual(["added", "newest"]);
  });

  it("keeps what a living process found there, whatever its age", async () => {
    await fillWith("mine", "theirs", "nobodys", "the-deads");
    await using me = open({ maxBytes: BLOCK });
    await using they = open({ owner: "they" });
    await me.find(key("mine"));
    await they.find(key("theirs"));
    const dead = open({ owner: "dead" });
    await dead.find(key("the-deads"));
    age("mine", 9);
    age("theirs", 8);

    await me.add(REPOSITORY, fill("x", "added"));

    expect(stored()).toEqual(["added", "mine", "theirs"]);
    expect(readdirSync(join(folder, ".users")).some((name) => name.startsWith("dead"))).toBe(false);
  });

  it("loses what its user is done with", async () => {
    await fillWith("once");
    const they = open({ owner: "they" });
    await they.find(key("once"));
    await they[Symbol.asyncDispose]();
    age("once", 5);
    await using cache = open({ maxBytes: BLOCK });

    await cache.add(REPOSITORY, fill("x", "added"));

    expect(stored()).toEqual(["added"]);
  });
});

const REPOSITORY = { server: "api.github.com", owner: "o", repo: "r" };

/** What a small file takes up. */
const BLOCK = 4096;

function open(
  options: { owner?: string; maxBytes?: number; isAlive?: (owner: string) => boolean } = {},
) {
  return openActionCache(folder, { owner: "me", isAlive: (owner) => owner !== "dead", ...options });
}

function key(commit: string): ActionKey {
  return { ...REPOSITORY, commit };
}

function fill(content: string, commit = "a") {
  return async (draft: string) => {
    writeFileSync(join(draft, "file"), content);
    return { commit };
  };
}

async function fillWith(...commits: string[]): Promise<void> {
  await using cache = open({ owner: "before" });
  for (const commit of commits) await cache.add(REPOSITORY, fill("x", commit));
}

function age(commit: string, days: number): void {
  const then = new Date(Date.now() - days * 24 * 3600 * 1000);
  utimesSync(join(folder, "api.github.com/o/r", commit), then, then);
}

function stored(): string[] {
  const repository = join(folder, "api.github.com/o/r");
  expect(existsSync(repository)).toBe(true);
  const names = readdirSync(repository);
  const commits = names.filter((name) => !name.endsWith(".size"));
  expect(names.filter((name) => name.endsWith(".size")).sort()).toEqual(
    commits.map((commit) => `${commit}.size`).sort(),
  );
  return commits.sort();
}

async function runNode(program: string, ...args: string[]): Promise<string> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", program, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [printed] = await Promise.all([text(child.stdout), once(child, "close")]);
  return printed;
}
