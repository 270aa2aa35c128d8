import { readFile } from "node:fs/promises";
import type { AnyAuthMethod, BaseAgent, ParsedKey, PublicKeyAuthMethod } from "ssh2";
import { textOf } from "../../../runner/errors.ts";
import { type CertificateSigner, readCertificate } from "./certificate.ts";
import type { Hop, Identity } from "./resolve-target.ts";

type Ssh2 = typeof import("ssh2");

/** One thing to try at the login, and what to call it in an error. */
export type LoginMethod = {
  /** As servers name it: `publickey`. */
  readonly kind: "publickey" | "password" | "keyboard-interactive";
  /** `key /home/me/.ssh/id_ed25519` */
  readonly name: string;
  readonly method: AnyAuthMethod;
};

export type LoginMethods = {
  readonly methods: readonly LoginMethod[];
  /** What could not even be tried, and why: `key ~/.ssh/id is encrypted, and no passphrase is given`. */
  readonly unusable: readonly string[];
};

/**
 * What a hop can be tried with, in order: keys that someone named (with their certificates first), the password, the agent, the default keys. An
 * agent may hold more keys than a server lets one try, hence not first.
 */
export async function loginMethods(
  ssh2: Ssh2,
  hop: Hop,
  signer: CertificateSigner,
): Promise<LoginMethods> {
  const unusable: string[] = [];
  const keys = await Promise.all(
    hop.identities.map((identity) => methodsOfKey(ssh2, hop, identity, signer, unusable)),
  );
  const isNamed = hop.identities.some((identity) => identity.isNamed);
  const agent = agentMethods(hop);
  const password = passwordMethods(hop);
  const ordered = isNamed
    ? [...keys.flat(), ...password, ...agent]
    : [...password, ...agent, ...keys.flat()];
  return { methods: ordered, unusable };
}

async function methodsOfKey(
  ssh2: Ssh2,
  hop: Hop,
  { file, certificate, isNamed }: Identity,
  signer: CertificateSigner,
  unusable: string[],
): Promise<LoginMethod[]> {
  let text: Buffer;
  try {
    text = await readFile(file);
  } catch (error) {
    if (isNamed) unusable.push(`key ${file} cannot be read (${textOf(error)})`);
    return [];
  }

  const parsed = firstKey(ssh2.utils.parseKey(text, hop.passphrase));
  if (parsed instanceof Error || !parsed.isPrivateKey()) {
    // A named one that the agent holds decrypted will be tried by way of the agent.
    unusable.push(`key ${file} ${whyUnusable(parsed, hop.passphrase)}`);
    return [];
  }
  const key: LoginMethod = {
    kind: "publickey",
    name: `key ${file}`,
    method: { type: "publickey", username: hop.user, key: parsed } satisfies PublicKeyAuthMethod,
  };

  const certificateFile = certificate ?? `${file}-cert.pub`;
  const found = await readCertificate(certificateFile);
  if (found === undefined) {
    if (certificate !== undefined) unusable.push(`certificate ${certificateFile} cannot be read`);
    return [key];
  }
  const agent: BaseAgent = signer.agentFor(parsed, found);
  const withCertificate: LoginMethod = {
    kind: "publickey",
    name: `certificate ${certificateFile}`,
    method: { type: "agent", username: hop.user, agent },
  };
  return [withCertificate, key];
}

function firstKey(parsed: ParsedKey | Error | ParsedKey[]): ParsedKey | Error {
  return Array.isArray(parsed) ? (parsed[0] ?? new Error("it is empty")) : parsed;
}

function whyUnusable(parsed: ParsedKey | Error, passphrase: string | undefined): string {
  if (!(parsed instanceof Error)) return "is a public key, not a private one";
  if (/passphrase|encrypted/i.test(parsed.message) && passphrase === undefined) {
    return "is encrypted, and no passphrase is given";
  }
  if (/integrity|bad decrypt|passphrase/i.test(parsed.message)) {
    return "does not open with the passphrase that is given";
  }
  return `is no key that can be used (${parsed.message})`;
}

function agentMethods({ agent, user }: Hop): LoginMethod[] {
  if (agent === undefined) return [];
  return [
    {
      kind: "publickey",
      name: `the keys of the agent at ${agent}`,
      method: { type: "agent", username: user, agent },
    },
  ];
}

function passwordMethods({ password, user }: Hop): LoginMethod[] {
  if (password === undefined) return [];
  return [
    {
      kind: "password",
      name: "the password",
      method: { type: "password", username: user, password },
    },
    {
      kind: "keyboard-interactive",
      name: "the password, as an answer to the machine's question",
      method: {
        type: "keyboard-interactive",
        username: user,
        prompt: (_name, _instructions, _language, prompts, finish) =>
          finish(prompts.map(() => password)),
      },
    },
  ];
}
