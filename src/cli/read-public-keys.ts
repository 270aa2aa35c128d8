import { readdir, readFile, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { BerthError } from "../../runner/errors.ts";

const KEY =
  /^(?:ssh-(?:ed25519|rsa|dss)|ecdsa-sha2-nistp\d+|sk-[\w@.-]+) AAAA[A-Za-z0-9+/]+={0,3}(?: .*)?$/;

/** Names that ssh tries by itself. */
const DEFAULT_NAMES = ["id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk"];

/**
 * Public keys of `--ssh-key`, each a file or the key itself; without any, those in ~/.ssh.
 *
 * @returns `identityFile`: the private key beside the first file, where ssh would not find it by itself.
 * @throws {BerthError} `USAGE` for what is no public key.
 */
export async function readPublicKeys(
  given: readonly string[] | undefined,
  home = homedir(),
): Promise<{ keys: string[]; identityFile: string | undefined }> {
  const folder = join(home, ".ssh");
  const sources = given ?? (await filesOf(folder));
  const keys: string[] = [];
  let identityFile: string | undefined;
  for (const source of sources) {
    if (KEY.test(source.trim())) {
      keys.push(source.trim());
      continue;
    }
    const read = await readKeys(source);
    // Beside the keys in ~/.ssh lie others' files.
    if (read.length === 0 && given !== undefined) throw noKey(source, "it holds no public key");
    keys.push(...read);
    identityFile ??= await privateKeyOf(source, folder);
  }
  return { keys: [...new Set(keys)], identityFile };
}

async function filesOf(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => name.endsWith(".pub")).map((name) => join(folder, name));
}

async function readKeys(file: string): Promise<string[]> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch {
    throw noKey(file, "it is neither a public key nor a file that can be read");
  }
  if (/PRIVATE KEY/.test(text))
    throw noKey(file, `it is a private key; the public one is ${file}.pub`);
  return text.split(/\r?\n/).flatMap((line) => (KEY.test(line.trim()) ? [line.trim()] : []));
}

async function privateKeyOf(file: string, folder: string): Promise<string | undefined> {
  if (!file.endsWith(".pub")) return undefined;
  const path = file.slice(0, -".pub".length);
  if (DEFAULT_NAMES.some((name) => join(folder, name) === path)) return undefined;
  return (await stat(path).catch(() => undefined))?.isFile() ? path : undefined;
}

function noKey(source: string, why: string): BerthError {
  const shown = source.length > 60 ? `${source.slice(0, 60)}…` : source;
  return new BerthError("USAGE", {
    message: `--ssh-key ${shown} is not usable: ${why}.`,
    remedy: "Give a file such as ~/.ssh/id_ed25519.pub, or its line.",
  });
}
