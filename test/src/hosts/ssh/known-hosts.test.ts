import { createHash, createHmac, randomBytes } from "node:crypto";
import { expect, it } from "@jest/globals";
import { hostKeyAlgorithms, hostKeyOf, whyNotTrusted } from "../../../../src/hosts/ssh/host-key.ts";
import { knownKeysOf, parseKnownHosts } from "../../../../src/hosts/ssh/known-hosts.ts";

const KEY = publicKey("ssh-ed25519");
const OTHER = publicKey("ssh-ed25519");
const GPU_1 = { name: "gpu-1", port: 22 };

it.each([
  ["a name", "gpu-1", GPU_1],
  ["a name in capitals", "GPU-1", GPU_1],
  ["one of several names", "other,gpu-1,10.0.0.1", GPU_1],
  ["a wildcard", "gpu-*", GPU_1],
  ["a wildcard for one letter", "gpu-?", GPU_1],
  ["a name with its port", "[gpu-1]:2222", { name: "gpu-1", port: 2222 }],
  ["the name alone, where its port has no line", "gpu-1", { name: "gpu-1", port: 2222 }],
  ["a hash", hashed("gpu-1"), GPU_1],
  ["a hash of a name with its port", hashed("[gpu-1]:2222"), { name: "gpu-1", port: 2222 }],
])("knows a machine by %s", (_, names, machine) => {
  expect(refusal(`${names} ${line(KEY)} a comment`, machine)).toBeUndefined();
});

it.each([
  ["another name", "gpu-2"],
  ["a wildcard that does not fit", "gpu-??"],
  ["a wildcard from which it is taken out", "gpu-*,!gpu-1"],
  ["a dot that stands for itself", "gpu.1"],
  ["another port", "[gpu-1]:2222"],
  ["a hash of another name", hashed("gpu-2")],
  ["a hash that makes no sense", "|1|x"],
])("does not know it by %s", (_, names) => {
  expect(refusal(`${names} ${line(KEY)}`, GPU_1)).toMatchObject({ code: "HOST_KEY_UNKNOWN" });
});

it("tells of an unknown key what to compare, and the lines to add", () => {
  const { message, remedy } = refusal("", { name: "gpu-1", port: 2222 }) ?? {};
  const fingerprint = `SHA256:${createHash("sha256").update(KEY).digest("base64").slice(0, 43)}`;

  expect(message).toContain(fingerprint);
  expect(remedy).toContain(`hostKey: ${fingerprint}`);
  expect(remedy).toContain(`[gpu-1]:2222 ${line(KEY)}`);
});

it("refuses a key that is not the known one, and says where the known one stands", () => {
  const error = refusal(`# mine\ngpu-1 ${line(OTHER)}`, GPU_1);

  expect(error).toMatchObject({
    code: "HOST_KEY_CHANGED",
    message: expect.stringMatching(/HAS CHANGED[\s\S]*known_hosts:2/),
  });
});

it("refuses another type of key than the known one", () => {
  const error = refusal(`gpu-1 ${line(publicKey("ssh-rsa"))}`, GPU_1);

  expect(error).toMatchObject({ code: "HOST_KEY_CHANGED" });
});

it("refuses a revoked key, even one that is known or pinned", () => {
  const text = `gpu-1 ${line(KEY)}\n@revoked * ${line(KEY)}`;

  expect(refusal(text, GPU_1)).toMatchObject({ message: expect.stringContaining("REVOKED") });
  expect(refusal(text, GPU_1, fingerprintOf(KEY))).toMatchObject({ code: "HOST_KEY_CHANGED" });
});

it("refuses a key that was revoked for its port alone", () => {
  const text = `gpu-1 ${line(KEY)}\n@revoked [gpu-1]:2222 ${line(KEY)}`;

  expect(refusal(text, { ...GPU_1, port: 2222 })).toMatchObject({ code: "HOST_KEY_CHANGED" });
  expect(refusal(text, GPU_1)).toBeUndefined();
});

it("takes an authority's line for no key of the machine's", () => {
  const error = refusal(`@cert-authority gpu-* ${line(KEY)}`, GPU_1);

  expect(error).toMatchObject({
    code: "HOST_KEY_UNKNOWN",
    message: expect.stringContaining("@cert-authority"),
  });
});

it("goes by the pinned fingerprint alone where there is one", () => {
  expect(refusal(`gpu-1 ${line(OTHER)}`, GPU_1, fingerprintOf(KEY))).toBeUndefined();
  expect(refusal(`gpu-1 ${line(KEY)}`, GPU_1, fingerprintOf(OTHER))).toMatchObject({
    code: "HOST_KEY_CHANGED",
    message: expect.stringContaining("berth.yml pins"),
  });
});

it("asks for keys of a known type first", () => {
  const known = parseKnownHosts(`gpu-1 ecdsa-sha2-nistp256 AAAA`, "known_hosts");

  expect(hostKeyAlgorithms(known, []).slice(0, 2)).toEqual(["ecdsa-sha2-nistp256", "ssh-ed25519"]);
  expect(hostKeyAlgorithms(known, ["ecdsa-sha2-nistp256"])).not.toContain("ecdsa-sha2-nistp256");
});

function refusal(text: string, machine: { name: string; port: number }, pinned?: string) {
  const known = knownKeysOf(parseKnownHosts(text, "known_hosts"), machine);
  return whyNotTrusted(KEY, { host: machine.name, ...machine, pinned, known });
}

function fingerprintOf(key: Buffer): string {
  return hostKeyOf(key, GPU_1).fingerprint;
}

function line(key: Buffer): string {
  return `${key.subarray(4, 4 + key.readUInt32BE(0))} ${key.toString("base64")}`;
}

function publicKey(type: string): Buffer {
  const lengthOf = (bytes: Buffer) => Buffer.from([0, 0, 0, bytes.length]);
  const [name, key] = [Buffer.from(type), randomBytes(32)];
  return Buffer.concat([lengthOf(name), name, lengthOf(key), key]);
}

function hashed(name: string): string {
  const salt = randomBytes(20);
  const hash = createHmac("sha1", salt).update(name).digest("base64");
  return `|1|${salt.toString("base64")}|${hash}`;
}
