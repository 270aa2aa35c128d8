import { text } from "node:stream/consumers";
import type Docker from "dockerode";
import { extract } from "tar-stream";
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

/** A small file of a container; empty when it has none. */
async function readFileIn(container: Docker.Container, path: string): Promise<string> {
  try {
    const archive = await container.getArchive({ path });
    let content = "";
    const unpacked = archive.pipe(extract());
    for await (const entry of unpacked) content += await text(entry);
    return content;
  } catch (error) {
    if (statusOf(error) === 404) return "";
    throw engineError(error, `read ${path} of the container`);
  }
}

function missing(kind: "user" | "group", name: string): BerthError {
  return new BerthError("IMAGE_UNUSABLE", {
    message: `The image has no ${kind} named ${name}.`,
    remedy: "Use a name from the image's /etc/passwd, or a number, as --user.",
  });
}
