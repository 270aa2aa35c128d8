import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";

/** One line of a `known_hosts` file. */
export type KnownHost = {
  readonly marker: "revoked" | "cert-authority" | undefined;
  /** `gpu-1,10.0.0.*,!10.0.0.9`, `[gpu-1]:2222` or `|1|SALT|HASH`. */
  readonly names: string;
  /** The key's type: `ssh-ed25519`. */
  readonly type: string;
  /** The key itself, in base64. */
  readonly key: string;
  readonly file: string;
  /** Counts from 1. */
  readonly line: number;
};

/** What the files say of one machine. */
export type KnownKeys = {
  readonly keys: readonly KnownHost[];
  readonly revoked: readonly KnownHost[];
  /** Whose host certificates would do; we ask for none. */
  readonly authorities: readonly KnownHost[];
};

/** All lines of those of the files that exist. */
export async function readKnownHosts(files: readonly string[]): Promise<KnownHost[]> {
  const texts = await Promise.all(
    files.map((file) => readFile(file, "utf8").catch((error) => absent(error))),
  );
  return texts.flatMap((text, at) => parseKnownHosts(text, files[at] ?? ""));
}

function absent(error: NodeJS.ErrnoException): string {
  if (error.code === "ENOENT" || error.code === "ENOTDIR") return "";
  throw error;
}

/** As sshd(8) describes the file; a line that makes no sense is passed over, as `ssh` does. */
export function parseKnownHosts(text: string, file: string): KnownHost[] {
  return text.split("\n").flatMap((whole, at) => {
    const words = whole.trim().split(/\s+/);
    if (words[0] === "" || words[0]?.startsWith("#")) return [];

    const mark = words[0]?.startsWith("@") ? words.shift()?.slice(1) : undefined;
    if (mark !== undefined && mark !== "revoked" && mark !== "cert-authority") return [];

    const [names, type, key] = words;
    if (names === undefined || type === undefined || key === undefined) return [];
    return [{ marker: mark, names, type, key, file, line: at + 1 }];
  });
}

/**
 * The keys of a machine. Where its port has no line of its own, those of the name alone count, as for `ssh`.
 *
 * @param name Address or `HostKeyAlias`.
 */
export function knownKeysOf(
  lines: readonly KnownHost[],
  { name, port }: { readonly name: string; readonly port: number },
): KnownKeys {
  const plain = name.toLowerCase();
  const exact = linesFor(lines, knownName(plain, port));
  const found = exact.length === 0 ? linesFor(lines, plain) : exact;
  // What was taken back counts under either name.
  const revoked = lines.filter(
    ({ marker, names }) =>
      marker === "revoked" &&
      (namesMatch(names, plain) || namesMatch(names, knownName(plain, port))),
  );
  return {
    keys: found.filter(({ marker }) => marker === undefined),
    authorities: found.filter(({ marker }) => marker === "cert-authority"),
    revoked,
  };
}

/** As a machine is called in the file: `gpu-1`, `[gpu-1]:2222`. */
export function knownName(name: string, port: number): string {
  return port === 22 ? name : `[${name}]:${port}`;
}

function linesFor(lines: readonly KnownHost[], name: string): KnownHost[] {
  return lines.filter(({ marker, names }) => marker !== "revoked" && namesMatch(names, name));
}

function namesMatch(names: string, name: string): boolean {
  if (names.startsWith("|")) return hashMatches(names, name);
  const patterns = names.toLowerCase().split(",");
  if (patterns.some((one) => one.startsWith("!") && globMatches(one.slice(1), name))) return false;
  return patterns.some((one) => !one.startsWith("!") && globMatches(one, name));
}

function hashMatches(names: string, name: string): boolean {
  const [, version, salt = "", hash = ""] = names.split("|");
  if (version !== "1" || salt === "" || hash === "") return false;
  return createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest("base64") === hash;
}

function globMatches(pattern: string, name: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`).test(name);
}
