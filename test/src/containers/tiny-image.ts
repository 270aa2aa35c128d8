import { readFile } from "node:fs/promises";
import { Readable } from "node:stream";
import type Docker from "dockerode";
import { pack } from "tar-stream";
import { importImage } from "../../../src/containers/images.ts";
import { debianProgram } from "./debian-program.ts";

/** What every step needs, and a few more. */
const APPLETS =
  "sh cat dd env head id ls mkdir printf ps rm rmdir setsid sleep stat tail test touch true wget httpd".split(
    " ",
  );

/**
 * An image with busybox and nothing else; disposing of it removes it. `people` are lines of /etc/passwd, `shell: false` leaves out
 * /bin/sh.
 */
export async function tinyImage(
  docker: Docker,
  tag: string,
  {
    people = [],
    groups = [],
    changes = [],
    shell = true,
  }: { people?: string[]; groups?: string[]; changes?: string[]; shell?: boolean } = {},
): Promise<AsyncDisposable & { tag: string }> {
  const busybox = await readFile(await debianProgram("busybox-static", "bin/busybox"));
  const tar = pack();
  for (const name of ["bin", "etc", "tmp"]) {
    tar.entry({ name, type: "directory", mode: name === "tmp" ? 0o1777 : 0o755 });
  }
  tar.entry({ name: "bin/busybox", mode: 0o755 }, busybox);
  for (const applet of APPLETS.filter((name) => shell || name !== "sh")) {
    tar.entry({ name: `bin/${applet}`, type: "symlink", linkname: "busybox" });
  }
  tar.entry({ name: "etc/passwd" }, ["root:x:0:0::/:/bin/sh", ...people, ""].join("\n"));
  tar.entry({ name: "etc/group" }, ["root:x:0:", ...groups, ""].join("\n"));
  tar.finalize();

  await importImage(docker, {
    tar: Readable.from(tar),
    tag,
    changes: ["ENV PATH=/bin", ...changes],
    signal: AbortSignal.timeout(60_000),
  });
  return {
    tag,
    async [Symbol.asyncDispose]() {
      await docker.getImage(tag).remove({ force: true });
    },
  };
}
