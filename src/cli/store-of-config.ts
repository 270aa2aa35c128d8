import { homedir } from "node:os";
import { findConfig } from "../config/find-config.ts";
import { configInvalid, readConfig } from "../config/read-config.ts";
import { stateFolder, storeFolder } from "../store/state-folder.ts";

/**
 * Where the service of a configuration keeps what it remembers, and the key of its secrets.
 *
 * @param named as `-c` has it.
 * @throws {BerthError} `CONFIG_INVALID` with all that is wrong with the file.
 */
export function storeOfConfig(named: string | undefined): {
  readonly file: string;
  readonly folder: string;
  readonly secretKeyFile: string | undefined;
} {
  const { env } = process;
  const cwd = process.cwd();
  const file = findConfig(named, { cwd, env, home: homedir() });
  const read = readConfig(file, { env, cwd });
  if ("problems" in read) throw configInvalid(read.problems);
  const { store, secretKeyFile } = read.config;
  const folder = storeFolder(store, stateFolder(env, process.getuid?.()));
  return { file, folder, secretKeyFile };
}
