import {
  createReadStream,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { type UnpackLimits, unpackArchive } from "../../../src/github/unpack-archive.ts";
import { temporaryRepository } from "../cli/temporary-repository.ts";
import { ACTION_YML, githubTarball, type TarballEntry, tarball } from "./tarball.ts";

let outer: string;
let folder: string;
beforeEach(() => {
  outer = mkdtempSync(join(tmpdir(), "berth-unpack-"));
  folder = mkdtempSync(join(outer, "in-"));
});
afterEach(() => rmSync(outer, { recursive: true, force: true }));

describe("unpackArchive", () => {
  it("leaves the top folder out, and keeps content, folders and executable bits", async () => {
    const umask = process.umask(0o077);
    try {
      await unpack([
        { name: "top/", type: "directory" },
        { name: "top/action.yml", content: ACTION_YML, mode: 0o600 },
        { name: "./top/bin/run.sh", content: "#!/bin/sh\n", mode: 0o4711 },
        { name: "top/empty/", type: "directory", mode: 0o700 },
        { name: `top/${"long/".repeat(40)}ü.txt`, content: "deep" },
      ]);
    } finally {
      process.umask(umask);
    }

    expect(readdirSync(folder).sort()).toEqual(["action.yml", "bin", "empty", "long"]);
    expect(readFileSync(join(folder, "action.yml"), "utf8")).toBe(ACTION_YML);
    expect(readFileSync(join(folder, `${"long/".repeat(40)}ü.txt`), "utf8")).toBe("deep");
    expect(modeOf("action.yml")).toBe(0o644);
    expect(modeOf("bin/run.sh")).toBe(0o755);
    expect(modeOf("bin")).toBe(0o755);
    expect(modeOf("empty")).toBe(0o755);
  });

  it("keeps links that stay inside, symbolic and hard ones, in any order", async () => {
    await unpack([
      { name: "top/node_modules/.bin/tsc", type: "symlink", linkname: "../typescript/tsc" },
      { name: "top/node_modules/typescript/tsc", content: "compile" },
      { name: "top/again", type: "link", linkname: "top/node_modules/typescript/tsc" },
      { name: "top/here", type: "symlink", linkname: "." },
      { name: "top/nowhere", type: "symlink", linkname: "not/there" },
      { name: "top/circle", type: "symlink", linkname: "circle" },
    ]);

    expect(readFileSync(join(folder, "node_modules/.bin/tsc"), "utf8")).toBe("compile");
    expect(readFileSync(join(folder, "again"), "utf8")).toBe("compile");
    expect(readlinkSync(join(folder, "nowhere"))).toBe("not/there");
  });

  it("takes what git makes, with the commit in a header of its own", async () => {
    using repository = temporaryRepository({ "a/b.txt": "b" });
    repository.commit("first");
    repository.git(
      "archive",
      "--prefix=o-r-c0ffee0/",
      `--output=${join(outer, "archive.tar.gz")}`,
      "HEAD",
    );

    await unpackArchive(createReadStream(join(outer, "archive.tar.gz")), folder, options());

    expect(readFileSync(join(folder, "a/b.txt"), "utf8")).toBe("b");
  });

  const evil: [title: string, entries: TarballEntry[], says: string][] = [
    ["a path with ..", [file("top/../../x")], "leads out of its folder"],
    ["a path with .. that stays inside", [file("top/a/../x")], "leads out of its folder"],
    ["an absolute path", [file("/tmp/x")], "leads out of its folder"],
    ["two top folders", [file("top/x"), file("other/x")], "beside its top folder 'top'"],
    ["a file without a folder", [file("x")], "'x' beside its top folder"],
    ["an absolute link", [symlink("top/l", "/etc/passwd")], "leads out to '/etc/passwd'"],
    ["a link that climbs out", [symlink("top/a/l", "../../x")], "the link 'a/l', which leads out"],
    ["an empty link", [symlink("top/l", "")], "the link 'l', which leads out"],
    [
      "links that climb out together",
      [symlink("top/x/y", ".."), symlink("top/z", "x/y/../out")],
      "the link 'z', which leads out",
    ],
    [
      "a file through a link",
      [symlink("top/l", "d"), file("top/l/x")],
      "a path through the link 'l'",
    ],
    [
      "a folder through a link",
      [symlink("top/l", "d"), { name: "top/l/x/", type: "directory" }],
      "a path through the link 'l'",
    ],
    ["a file for a link", [symlink("top/l", "d"), file("top/l")], "'l' twice"],
    ["a link for a file", [file("top/l"), symlink("top/l", "d")], "'l' twice"],
    ["a file for a folder", [file("top/d/x"), file("top/d")], "'d' twice"],
    ["a file through a file", [file("top/f"), file("top/f/x")], "a path through the file 'f'"],
    ["a hard link out", [{ name: "top/h", type: "link", linkname: "../x" }], "leads out"],
    [
      "a hard link to the disk's root",
      [{ name: "top/h", type: "link", linkname: "/etc/passwd" }],
      "leads out",
    ],
    ["a hard link to nothing", [{ name: "top/h", type: "link", linkname: "top/x" }], "no file"],
    [
      "a hard link to a link",
      [symlink("top/l", "d"), { name: "top/h", type: "link", linkname: "top/l" }],
      "no file before it",
    ],
    [
      "a device",
      [{ name: "top/d", type: "character-device", devmajor: 1, devminor: 3 }],
      "which is a device",
    ],
    ["a pipe", [{ name: "top/p", type: "fifo" }], "which is a pipe"],
    ["control characters", [symlink("top/\u001b[31m\nx", "/y")], "'\\u001b[31m\\nx'"],
  ];
  it.each(evil)("refuses %s, and writes nothing outside", async (_title, entries, says) => {
    const unpacked = unpack(entries);

    await expect(unpacked).rejects.toMatchObject({ code: "ACTION_FETCH_FAILED" });
    await expect(unpacked).rejects.toThrow("The archive of o/r at c0ffee is refused: it has");
    await expect(unpacked).rejects.toThrow(says);
    expect(readdirSync(outer)).toHaveLength(1);
  });

  it("refuses an archive that unpacks to too much, before it has filled the disk", async () => {
    const content = "\0".repeat(64 * 1024 * 1024);
    const bombs = [await tarball([{ name: "top/x", content }]), gzipSync(Buffer.from(content))];

    for (const bomb of bombs) {
      const limits = { maxBytes: 1024 * 1024, maxEntries: 10 };
      const unpacked = unpackArchive(Readable.from([bomb]), folder, options(limits));

      await expect(unpacked).rejects.toThrow("is larger than 1048576 bytes");
      rmSync(join(folder, "x"), { force: true });
    }
  });

  it("refuses more files than anybody needs", async () => {
    const entries = Array.from({ length: 11 }, (_, index) => file(`top/${index}`));

    const unpacked = unpack(entries, { maxBytes: 1024 * 1024, maxEntries: 10 });

    await expect(unpacked).rejects.toThrow("has more than 10 entries");
  });

  it.each([
    ["an archive cut short", (archive: Buffer) => archive.subarray(0, archive.length - 20)],
    ["an archive cut short early", (archive: Buffer) => archive.subarray(0, archive.length / 3)],
    ["no bytes", () => Buffer.alloc(0)],
    ["an archive of nothing", () => gzipSync(Buffer.alloc(1024))],
    ["something else", () => Buffer.from("<!doctype html><p>Please log in")],
    ["something else, compressed", () => gzipSync(Buffer.alloc(2048, "x"))],
    [
      "a wrong checksum",
      (archive: Buffer) => Buffer.concat([archive.subarray(0, -8), Buffer.alloc(8, 1)]),
    ],
  ])("says of %s that it is damaged, which may be better next time", async (_title, damage) => {
    const whole = await githubTarball({ "a.txt": "text".repeat(5000), "b.txt": "b" });

    const unpacked = unpackArchive(Readable.from([damage(whole)]), folder, options());

    await expect(unpacked).rejects.not.toHaveProperty("remedy");
  });

  it("stops when it is told to", async () => {
    const cancel = new AbortController();
    const endless = new Readable({ read: () => undefined });
    endless.push((await githubTarball({ "a.txt": "a" })).subarray(0, 30));

    const unpacked = unpackArchive(endless, folder, { name: "o/r", signal: cancel.signal });
    cancel.abort();

    await expect(unpacked).rejects.toThrow(/abort/i);
  });
});

function file(name: string): TarballEntry {
  return { name, content: "x" };
}

function symlink(name: string, linkname: string): TarballEntry {
  return { name, type: "symlink", linkname };
}

async function unpack(entries: TarballEntry[], limits?: UnpackLimits): Promise<void> {
  await unpackArchive(Readable.from([await tarball(entries)]), folder, options(limits));
}

function options(limits?: UnpackLimits) {
  return { name: "o/r at c0ffee", signal: new AbortController().signal, limits };
}

function modeOf(path: string): number {
  return statSync(join(folder, path)).mode & 0o7777;
}
