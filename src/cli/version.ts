import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { packageFolder } from "../../runner/image/package-folder.ts";

const PackageJson = z.object({ version: z.string() });

/** Berth's version, from its `package.json`. */
export function version(): string {
  const text = readFileSync(join(packageFolder(), "package.json"), "utf8");
  return PackageJson.parse(JSON.parse(text)).version;
}
