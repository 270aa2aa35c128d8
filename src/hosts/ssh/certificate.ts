import { readFile } from "node:fs/promises";
import type { BaseAgent, Client, ParsedKey } from "ssh2";
import { z } from "zod";

type Ssh2 = typeof import("ssh2");

/** An OpenSSH user certificate. */
export type Certificate = {
  /** `ssh-ed25519-cert-v01@openssh.com` */
  readonly type: string;
  readonly blob: Buffer;
};

/** Makes the keys with which ssh2 logs in by certificate. Bound to one connection, since it mends what that one sends. */
export type CertificateSigner = {
  agentFor(key: ParsedKey, certificate: Certificate): BaseAgent;
};

/** `undefined` when there is none. */
export async function readCertificate(file: string): Promise<Certificate | undefined> {
  const text = await readFile(file, "utf8").catch(() => "");
  const [type, base64] = text.trim().split(/\s+/);
  if (base64 === undefined || !type?.endsWith("-cert-v01@openssh.com")) return undefined;
  return { type, blob: Buffer.from(base64, "base64") };
}

/**
 * ssh2 knows no certificates. It asks an agent for keys and sends whatever type and blob they have, so an agent of ours can offer one; but it
 * names the certificate's type in the signature too, where sshd wants the bare key's (PROTOCOL.certkeys of OpenSSH). So that one message is put
 * right before it is encrypted.
 */
export function certificateSigner({ BaseAgent: Base }: Ssh2, client: Client): CertificateSigner {
  return {
    agentFor(key, certificate) {
      const { algorithm, signatureType, hash } = algorithmsOf(key.type);
      const offered: ParsedKey = Object.create(key, {
        type: { value: algorithm },
        getPublicSSH: { value: () => certificate.blob },
        isPrivateKey: { value: () => false },
      });

      return new (class extends Base {
        override getIdentities(done: (error: undefined, keys: ParsedKey[]) => void): void {
          done(undefined, [offered]);
        }

        override sign(
          _key: unknown,
          data: Buffer,
          options: unknown,
          done?: (error: Error | undefined, signature?: Buffer) => void,
        ): void {
          const answer = done ?? (options as NonNullable<typeof done>);
          const made: Buffer | Error = key.sign(data, hash);
          if (made instanceof Error) {
            answer(made);
            return;
          }
          const signature = key.type.startsWith("ecdsa") ? pairOfNumbers(made) : made;
          nameSignature(client, { wrong: algorithm, right: signatureType, signature });
          answer(undefined, signature);
        }
      })();
    },
  };
}

function algorithmsOf(keyType: string): {
  algorithm: string;
  signatureType: string;
  hash: string | undefined;
} {
  if (keyType === "ssh-rsa") {
    const signatureType = "rsa-sha2-512";
    return { algorithm: `${signatureType}-cert-v01@openssh.com`, signatureType, hash: "sha512" };
  }
  return {
    algorithm: `${keyType}-cert-v01@openssh.com`,
    signatureType: keyType,
    hash: undefined,
  };
}

/** What ssh2 keeps to itself and we need. */
type PacketWriter = {
  readonly allocStart: number;
  alloc(size: number): Buffer;
  finalize(packet: Buffer, force?: boolean): Buffer;
};
const Internals = z.object({
  _protocol: z.object({ _packetRW: z.object({ write: z.custom<PacketWriter>(isPacketWriter) }) }),
});

function isPacketWriter(value: unknown): boolean {
  const has = (name: string) => typeof Reflect.get(Object(value), name) === "function";
  return has("alloc") && has("finalize");
}

/** Rewrites the end of the next message, `string(string(type) string(signature))`. */
function nameSignature(
  client: Client,
  { wrong, right, signature }: { wrong: string; right: string; signature: Buffer },
): void {
  const { write } = Internals.parse(client)._protocol._packetRW;
  const { finalize } = write;
  write.finalize = (packet, force) => {
    write.finalize = finalize;
    const tail = wrapped(Buffer.concat([wrapped(wrong), wrapped(signature)]));
    const start = write.allocStart;
    const end = packet.length;
    const body = packet.subarray(start, end);
    const at = body.lastIndexOf(tail);
    if (at === -1) return finalize.call(write, packet, force);

    const mended = Buffer.concat([
      body.subarray(0, at),
      wrapped(Buffer.concat([wrapped(right), wrapped(signature)])),
    ]);
    const fresh = write.alloc(mended.length);
    fresh.set(mended, write.allocStart);
    return finalize.call(write, fresh, force);
  };
}

function wrapped(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content as string);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** From OpenSSL's `SEQUENCE { INTEGER r, INTEGER s }` to SSH's two numbers one after the other; each has its sign byte already. */
function pairOfNumbers(der: Buffer): Buffer {
  let at = (der[1] ?? 0) > 0x80 ? 3 : 2;
  const number = () => {
    const length = der[at + 1] ?? 0;
    const value = der.subarray(at + 2, at + 2 + length);
    at += 2 + length;
    return wrapped(value);
  };
  return Buffer.concat([number(), number()]);
}
