import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type ReadConfig, readConfig } from "../../../src/config/read-config.ts";

/** As GitHub hands it out. */
export const PRIVATE_KEY = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs1", format: "pem" },
}).privateKey;

/** Lines 1 to 3 of most files here. */
export const GITHUB = `github:
  app: { id: 1, privateKeyFile: key.pem }
  webhookSecretFile: secret
`;

export type ConfigFolder = Disposable & {
  readonly root: string;
  write(path: string, text: string): void;
  /** Reads the folder's `berth.yml`. */
  read(env?: { readonly [name: string]: string }): ReadConfig;
};

/** A folder with a `berth.yml`, the App's key and a webhook secret; disposing of it removes it. */
export function configFolder(text: string): ConfigFolder {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "berth-config-")));
  const folder: ConfigFolder = {
    root,
    write(path, content) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), content);
    },
    read: (env = {}) => readConfig("berth.yml", { env, cwd: root }),
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
  folder.write("berth.yml", text);
  folder.write("key.pem", PRIVATE_KEY);
  folder.write("secret", "it's a secret\n");
  return folder;
}

/** What is read from a good file. */
export function goodConfig(text: string, env: { readonly [name: string]: string } = {}) {
  using folder = configFolder(text);
  const read = folder.read(env);
  if ("problems" in read) throw new Error(JSON.stringify(read.problems, null, 2));
  return { ...read, root: folder.root };
}

/** `line:column: message` of each problem. */
export function problemsOf(text: string, env: { readonly [name: string]: string } = {}): string[] {
  using folder = configFolder(text);
  const read = folder.read(env);
  if (!("problems" in read)) return [];
  return read.problems.map(({ line, column, message }) => `${line}:${column}: ${message}`);
}
