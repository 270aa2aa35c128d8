import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What the first column of `docs/troubleshooting.md` has, in its order, by section. */
export function troubleshootingRows(section: string): string[] {
  const text = readFileSync(join(import.meta.dirname, "../docs/troubleshooting.md"), "utf8");
  const part = text.split(/^## /m).find((one) => one.startsWith(`${section}\n`)) ?? "";
  return [...part.matchAll(/^\| `((?:[^`\\]|\\`)+)` \|/gm)].map(([, seen = ""]) =>
    seen.replaceAll("\\`", "`"),
  );
}

/** Whether a row is about a message; `…` in it stands for anything. */
export function isAbout(row: string, message: string): boolean {
  const pattern = row
    .split("…")
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
    .join(".+?");
  return new RegExp(`^${pattern}$`, "s").test(message);
}
