import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { BerthError, textOf } from "../../runner/errors.ts";

const CIPHER = "aes-256-gcm";
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Makes a key file that only its owner may read.
 *
 * @throws {BerthError} `USAGE` when there is a file already: what it encrypted would be lost.
 */
export async function makeKeyFile(file: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await using handle = await open(file, "wx", 0o600);
    await handle.writeFile(`${randomBytes(KEY_BYTES).toString("base64")}\n`);
    await handle.sync();
  } catch (cause) {
    const isThere = (cause as NodeJS.ErrnoException).code === "EEXIST";
    throw new BerthError("USAGE", {
      message: isThere
        ? `${file} is there already, and the secrets that it encrypted would be lost without it.`
        : `${file} cannot be written: ${textOf(cause)}.`,
      remedy: "Choose another file.",
      cause,
    });
  }
}

/** @throws {BerthError} `CONFIG_INVALID` when it cannot be read, others may read it, or it holds no key. */
export async function readKeyFile(file: string): Promise<Buffer> {
  const { text, mode } = await readWithMode(file);
  if ((mode & 0o077) !== 0) {
    throw invalid(`The key file ${file} may be read or written by others.`, `chmod 600 ${file}`);
  }
  const key = Buffer.from(text.trim(), "base64");
  if (key.length === KEY_BYTES && key.toString("base64") === text.trim()) return key;
  throw invalid(
    `The key file ${file} holds no key: ${KEY_BYTES} bytes in base64.`,
    "Make one with berth secret key FILE.",
  );
}

/** Encrypts with a nonce of its own. `about` is not kept, and must be the same to decrypt. */
export function seal(key: Buffer, value: string, about: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce).setAAD(Buffer.from(about));
  return Buffer.concat([nonce, cipher.update(value, "utf8"), cipher.final(), cipher.getAuthTag()]);
}

/** `undefined` when it was encrypted with another key or about something else, or was changed. */
export function unseal(key: Buffer, sealed: Uint8Array, about: string): string | undefined {
  try {
    const decipher = createDecipheriv(CIPHER, key, sealed.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(Buffer.from(about)).setAuthTag(sealed.subarray(-TAG_BYTES));
    const text = decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES));
    return Buffer.concat([text, decipher.final()]).toString("utf8");
  } catch {
    return undefined; // node:crypto says only that authentication failed
  }
}

async function readWithMode(file: string): Promise<{ text: string; mode: number }> {
  try {
    await using handle = await open(file, "r");
    const { mode } = await handle.stat();
    return { text: await handle.readFile("utf8"), mode };
  } catch (cause) {
    throw invalid(
      `The key file ${file} cannot be read: ${textOf(cause)}.`,
      "Make one with berth secret key FILE, and name it as secretKeyFile in berth.yml.",
    );
  }
}

function invalid(message: string, remedy: string): BerthError {
  return new BerthError("CONFIG_INVALID", { message, remedy });
}
