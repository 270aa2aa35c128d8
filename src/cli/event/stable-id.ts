import { createHash } from "node:crypto";

/** A number for a name, the same every time, as GitHub has ids for repositories and users: 9 digits. */
export function stableId(name: string): string {
  const hash = createHash("sha256").update(name.toLowerCase()).digest();
  return String(100_000_000 + (hash.readUInt32BE(0) % 900_000_000));
}
