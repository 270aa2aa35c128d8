import { execFile } from "node:child_process";
import { access, constants, mkdir, realpath, symlink, writeFile } from "node:fs/promises";
import { arch } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { quote } from "../quote.ts";

/**
 * Puts this machine's own Node into a tool cache, in the layout in which `actions/setup-node` looks for one (`findAllVersions` of
 * `@actions/tool-cache`): `node/VERSION/ARCH`, beside it an `ARCH.complete`. What its npm installs globally goes there too. Does nothing where
 * there is no Node on the `PATH`.
 */
export async function putNodeInToolCache(
  toolCache: string,
  env: { readonly [name: string]: string | undefined },
): Promise<void> {
  const node = await findProgram("node", env.PATH);
  if (node === undefined) return;
  const version = await versionOf(node);
  if (version === undefined) return;

  const parent = join(toolCache, "node", version);
  const folder = join(parent, arch());
  await mkdir(join(folder, "bin"), { recursive: true });
  await symlink(node, join(folder, "bin/node"));
  for (const name of ["npm", "npx"]) {
    const program = await findProgram(name, env.PATH);
    if (program === undefined) continue;
    await writeFile(join(folder, "bin", name), npmScript(program, folder), { mode: 0o755 });
  }
  await writeFile(join(parent, `${arch()}.complete`), "");
}

/** npm takes its prefix from where Node really lies, which is not the job's to change. */
function npmScript(program: string, prefix: string): string {
  return [
    "#!/bin/sh",
    `[ -n "$npm_config_prefix" ] || npm_config_prefix=${quote(prefix)}`,
    "export npm_config_prefix",
    `exec ${quote(program)} "$@"`,
    "",
  ].join("\n");
}

async function findProgram(name: string, path = ""): Promise<string | undefined> {
  for (const folder of path.split(delimiter).filter((it) => it.startsWith("/"))) {
    const file = join(folder, name);
    const isThere = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return file;
  }
  return undefined;
}

/** `undefined` where it does not say one. */
async function versionOf(node: string): Promise<string | undefined> {
  if ((await realpath(node)) === (await realpath(process.execPath))) return process.versions.node;
  const said = await promisify(execFile)(node, ["--version"]).catch(() => undefined);
  return /^v(\d+\.\d+\.\d+)\s*$/.exec(said?.stdout ?? "")?.[1];
}
