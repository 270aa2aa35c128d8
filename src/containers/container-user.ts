import { posix } from "node:path";
import type { Readable } from "node:stream";
import type Docker from "dockerode";
import { type Extract, extract, type Header } from "tar-stream";
import { BerthError } from "../../runner/errors.ts";
import { engineError, statusOf } from "./engine-error.ts";

/** A user as the kernel knows it. */
export type UserIds = { readonly uid: number; readonly gid: number };

/**
 * Who `user[:group]` is in a container that exists but need not run. Names are looked up in its /etc/passwd and /etc/group.
 *
 * @throws {BerthError} `IMAGE_UNUSABLE` when the image has no such user or group.
 */
export async function resolveUser(container: Docker.Container, user: string): Promise<UserIds> {
  const [name = "", group = ""] = user.split(":");
  if ((name === "" || name === "root") && group === "") return { uid: 0, gid: 0 };

  const known = /^\d+$/.test(name)
    ? { uid: Number(name), gid: 0 }
    : name === ""
      ? { uid: 0, gid: 0 }
      : await lookUpUser(container, name);
  if (group === "") return known;
  const gid = /^\d+$/.test(group) ? Number(group) : await lookUpGroup(container, group);
  return { uid: known.uid, gid };
}

async function lookUpUser(container: Docker.Container, name: string): Promise<UserIds> {
  const line = findLine(await readFileIn(container, "/etc/passwd"), name);
  if (line === undefined) throw missing("user", name);
  return { uid: Number(line[2]), gid: Number(line[3]) };
}

async function lookUpGroup(container: Docker.Container, name: string): Promise<number> {
  const line = findLine(await readFileIn(container, "/etc/group"), name);
  if (line === undefined) throw missing("group", name);
  return Number(line[2]);
}

function findLine(content: string, name: string): string[] | undefined {
  return content
    .split("\n")
    .map((line) => line.split(":"))
    .find((fields) => fields[0] === name && /^\d+$/.test(fields[2] ?? ""));
}

/** More than any /etc/passwd; an image can hold one of any size. */
const MAX_BYTES = 4 * 2 ** 20;
const MAX_LINKS = 10;

/** The beginning of a file of a container; empty when it has none. Links are followed, within the container. */
async function readFileIn(
  container: Docker.Container,
  path: string,
  links = MAX_LINKS,
): Promise<string> {
  const found = await readEntry(container, path);
  if (typeof found?.linkname === "string" && links > 0) {
    return readFileIn(container, posix.resolve(posix.dirname(path), found.linkname), links - 1);
  }
  return found?.content ?? "";
}

async function readEntry(
  container: Docker.Container,
  path: string,
): Promise<{ readonly content: string; readonly linkname?: string | null } | undefined> {
  try {
    const archive = (await container.getArchive({ path })) as Readable;
    const entries = archive.pipe(extract());
    archive.on("error", (error: Error) => entries.destroy(error));
    try {
      for await (const { header, ...entry } of withStart(entries)) {
        return header.type === "symlink" ? { ...entry, linkname: header.linkname } : entry;
      }
    } finally {
      archive.destroy(); // what is not read would hold up whoever stops the container
    }
  } catch (error) {
    if (statusOf(error) !== 404) throw engineError(error, `read ${path} of the container`);
  }
  return undefined;
}

async function* withStart(
  entries: Extract,
): AsyncGenerator<{ readonly header: Header; readonly content: string }> {
  for await (const entry of entries) {
    const pieces: Buffer[] = [];
    let bytes = 0;
    for await (const piece of entry as AsyncIterable<Buffer>) {
      pieces.push(piece);
      bytes += piece.length;
      if (bytes > MAX_BYTES) break;
    }
    yield { header: entry.header, content: Buffer.concat(pieces).toString() };
  }
}

function missing(kind: "user" | "group", name: string): BerthError {
  return new BerthError("IMAGE_UNUSABLE", {
    message: `The image has no ${kind} named ${name}.`,
    remedy: "Use a name from the image's /etc/passwd, or a number, as --user.",
  });
}
