import { createHash } from "node:crypto";
import { BerthError } from "../../../runner/errors.ts";
import { type KnownHost, type KnownKeys, knownName } from "./known-hosts.ts";

/** A machine's public key, as it showed it. */
export type HostKey = {
  /** `ssh-ed25519` */
  readonly type: string;
  /** `SHA256:…`, as `ssh-keygen -l` prints it. */
  readonly fingerprint: string;
  /** What `known_hosts` would have for it. */
  readonly knownHostsLine: string;
};

/** Whose key it is, and what is known of it beforehand. */
export type KeyTrust = {
  /** For errors: `gpu-1`. */
  readonly host: string;
  /** Address or `HostKeyAlias`. */
  readonly name: string;
  readonly port: number;
  /** A fingerprint; then `known` means nothing. */
  readonly pinned: string | undefined;
  readonly known: KnownKeys;
};

export function hostKeyOf(
  blob: Buffer,
  { name, port }: { readonly name: string; readonly port: number },
): HostKey {
  const type = blob.subarray(4, 4 + blob.readUInt32BE(0)).toString("latin1");
  const digest = createHash("sha256").update(blob).digest("base64").replace(/=+$/, "");
  const line = `${knownName(name, port)} ${type} ${blob.toString("base64")}`;
  return { type, fingerprint: `SHA256:${digest}`, knownHostsLine: line };
}

/** Why a key is not to be trusted; `undefined` when it is the machine's own. */
export function whyNotTrusted(blob: Buffer, trust: KeyTrust): BerthError | undefined {
  const key = hostKeyOf(blob, trust);
  const base64 = blob.toString("base64");
  const { pinned, known } = trust;
  const revoked = known.revoked.find((line) => line.key === base64);
  if (revoked !== undefined) return keyRevoked(key, trust, revoked);

  if (pinned !== undefined) {
    return sameFingerprint(pinned, key.fingerprint)
      ? undefined
      : keyChanged(key, trust, `berth.yml pins ${pinned}`);
  }
  if (known.keys.some((line) => line.key === base64)) return undefined;
  const [other] = known.keys;
  if (other !== undefined) {
    return keyChanged(key, trust, `${other.file}:${other.line} has another ${other.type} key`);
  }
  return keyUnknown(key, trust);
}

/** Keys of one type count as one, whichever hash signs for it. */
const ALGORITHMS = [
  ["ssh-ed25519", ["ssh-ed25519"]],
  ["ecdsa-sha2-nistp256", ["ecdsa-sha2-nistp256"]],
  ["ecdsa-sha2-nistp384", ["ecdsa-sha2-nistp384"]],
  ["ecdsa-sha2-nistp521", ["ecdsa-sha2-nistp521"]],
  ["ssh-rsa", ["rsa-sha2-512", "rsa-sha2-256"]],
] as const;
type Algorithm = (typeof ALGORITHMS)[number][1][number];

/**
 * What to ask a machine for: types of known keys first, so that one with several keys shows the one we know.
 *
 * @param not Types that it has shown and that are not the pinned one.
 */
export function hostKeyAlgorithms(
  known: readonly KnownHost[],
  not: readonly string[],
): Algorithm[] {
  const isKnown = (type: string) => known.some((line) => line.type === type);
  const types = ALGORITHMS.filter(([type]) => !not.includes(type));
  return [
    ...types.filter(([type]) => isKnown(type)),
    ...types.filter(([type]) => !isKnown(type)),
  ].flatMap(([, algorithms]) => algorithms);
}

function sameFingerprint(pinned: string, fingerprint: string): boolean {
  const bare = (text: string) => text.replace(/^SHA256:/i, "").replace(/=+$/, "");
  return bare(pinned) === bare(fingerprint);
}

function keyUnknown(key: HostKey, trust: KeyTrust): BerthError {
  const certificates =
    trust.known.authorities.length > 0
      ? " known_hosts trusts it by an authority's certificate (@cert-authority), which Berth does not ask for."
      : "";
  return new BerthError("HOST_KEY_UNKNOWN", {
    message: `The key of host ${trust.host} (${trust.name} port ${trust.port}) is not known: ${key.type} ${key.fingerprint}.${certificates}`,
    remedy: [
      `Compare it with what \`ssh-keygen -lf /etc/ssh/ssh_host_${fileOf(key.type)}_key.pub\` prints on that machine. If it is the same, add to ${trust.host} in berth.yml:`,
      `  hostKey: ${key.fingerprint}`,
      "or to ~/.ssh/known_hosts:",
      `  ${key.knownHostsLine}`,
    ].join("\n"),
  });
}

function keyChanged(key: HostKey, trust: KeyTrust, expected: string): BerthError {
  return new BerthError("HOST_KEY_CHANGED", {
    message: [
      `THE KEY OF HOST ${trust.host} HAS CHANGED. Someone may stand between here and ${trust.name} port ${trust.port}, or the machine was set up anew.`,
      `It shows ${key.type} ${key.fingerprint}, but ${expected}. Nothing was sent to it.`,
    ].join("\n"),
    remedy: `Ask who runs ${trust.host} whether its key was replaced, compare the fingerprints over another way, and only then put the new one in the old one's place: hostKey in berth.yml, or \`ssh-keygen -R '${knownName(trust.name, trust.port)}'\` and the line ${key.knownHostsLine}`,
  });
}

function keyRevoked(key: HostKey, trust: KeyTrust, { file, line }: KnownHost): BerthError {
  return new BerthError("HOST_KEY_CHANGED", {
    message: `THE KEY OF HOST ${trust.host} WAS REVOKED: ${file}:${line} says that ${key.type} ${key.fingerprint} must not be trusted. Nothing was sent to it.`,
    remedy: `Ask who runs ${trust.host} for its new key.`,
  });
}

function fileOf(type: string): string {
  if (type.startsWith("ecdsa")) return "ecdsa";
  return type.replace(/^ssh-/, "");
}
