import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { BerthError } from "../../runner/errors.ts";
import type { Environment } from "./interpolate.ts";

/**
 * Which file is the configuration: the one that is named, else `berth.yml` in the current folder, the user's, the machine's.
 *
 * @throws {BerthError} `CONFIG_INVALID` saying where it looked.
 */
export function findConfig(
  named: string | undefined,
  { cwd, env, home }: { cwd: string; env: Environment; home: string },
): string {
  const userFolder = env.XDG_CONFIG_HOME?.startsWith("/")
    ? env.XDG_CONFIG_HOME
    : join(home, ".config");
  const places =
    named === undefined
      ? ["berth.yml", join(userFolder, "berth/berth.yml"), "/etc/berth/berth.yml"]
      : [named];
  const found = places.find((place) => existsSync(resolve(cwd, place)));
  if (found !== undefined) return found;
  throw new BerthError("CONFIG_INVALID", {
    message:
      named === undefined
        ? `There is no configuration. Looked for ${places.map((place) => resolve(cwd, place)).join(", ")}.`
        : `There is no configuration at ${resolve(cwd, named)}.`,
    remedy:
      named === undefined
        ? "Write one (docs/configuration.md begins with an example), or name it with -c FILE."
        : "Check the path; it is taken from the folder you are in.",
  });
}
