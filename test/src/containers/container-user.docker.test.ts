import { Readable } from "node:stream";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "@jest/globals";
import type Docker from "dockerode";
import { pack } from "tar-stream";
import { BerthError } from "../../../runner/errors.ts";
import { resolveUser } from "../../../src/containers/container-user.ts";
import type { TarEntry } from "../../../src/containers/tar-entry.ts";
import { engineForTests } from "./engine.ts";
import { tinyImage } from "./tiny-image.ts";

const BASE = `berth-test/user-${process.pid}:base`;
const stack = new AsyncDisposableStack();
let docker: Docker;
let container: Docker.Container;

beforeAll(async () => {
  ({ docker } = await engineForTests());
  stack.use(await tinyImage(docker, BASE));
});
afterAll(() => stack.disposeAsync());
beforeEach(async () => {
  container = await docker.createContainer({ Image: BASE, Cmd: ["true"] });
});
// Would not return while the engine still sends a file.
afterEach(() => container.remove({ force: true }));

const APP = "root:x:0:0::/:/bin/sh\napp:x:12:34::/:/bin/sh\n";

it("finds a user where /etc/passwd is a link to a link", async () => {
  await put([
    [{ name: "etc/passwd", type: "symlink", linkname: "../store/one" }],
    [{ name: "store/one", type: "symlink", linkname: "/store/two" }],
    [{ name: "store/two" }, APP],
  ]);

  expect(await resolveUser(container, "app")).toEqual({ uid: 12, gid: 34 });
});

it("does not follow links in circles", async () => {
  await put([[{ name: "etc/passwd", type: "symlink", linkname: "passwd" }]]);

  await expect(resolveUser(container, "app")).rejects.toThrow(BerthError);
});

it("reads the beginning of an /etc/passwd of any size", async () => {
  await put([[{ name: "etc/passwd" }, `${APP}${"\0".repeat(50_000_000)}`]]);

  expect(await resolveUser(container, "app")).toEqual({ uid: 12, gid: 34 });
  await expect(resolveUser(container, "eve")).rejects.toMatchObject({ code: "IMAGE_UNUSABLE" });
});

async function put(entries: readonly (readonly [TarEntry, string?])[]): Promise<void> {
  const tar = pack();
  for (const [header, content] of entries) tar.entry(header, content ?? "");
  tar.finalize();
  await container.putArchive(Readable.from(tar, { objectMode: false }), { path: "/" });
}
