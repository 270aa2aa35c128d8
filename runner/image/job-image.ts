import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { packageFolder } from "./package-folder.ts";

/** Where Debian keeps certificates that an administrator added. */
const MACHINE_CERTIFICATES = "/usr/local/share/ca-certificates";

/** What goes into the build of an image, by path; the same files always give the same tag. */
export type ImageContext = {
  readonly tag: string;
  readonly files: ReadonlyMap<string, string>;
};

/** All of them in one file for Node, which does not read those of the system. Not named `*.crt`, or the system would add it once more. */
const FOR_NODE = "certificates/for-node.pem";
const NODE_TRUSTS = "\nENV NODE_EXTRA_CA_CERTS=/usr/local/share/ca-certificates/for-node.pem\n";

/**
 * The image of a job without `container:`, named for its content: `berth-job:<hash>`. Where the machine trusts certificates of its own,
 * what runs in the image trusts them as well, Node and npm included.
 */
export async function describeJobImage(
  machineCertificates: string = MACHINE_CERTIFICATES,
): Promise<ImageContext> {
  const folder = join(packageFolder(), "runner/image");
  const files = new Map([
    ["Dockerfile", await readFile(join(folder, "Dockerfile"), "utf8")],
    ["certificates/README.md", await readFile(join(folder, "certificates/README.md"), "utf8")],
  ]);
  for (const name of await certificatesIn(machineCertificates)) {
    const certificate = await readFile(join(machineCertificates, name), "utf8");
    files.set(`certificates/${name}`, certificate);
    files.set(FOR_NODE, `${files.get(FOR_NODE) ?? ""}${certificate.trimEnd()}\n`);
  }
  if (files.has(FOR_NODE)) files.set("Dockerfile", `${files.get("Dockerfile")}${NODE_TRUSTS}`);
  return { tag: `berth-job:${contentHash(files)}`, files };
}

async function certificatesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => name.endsWith(".crt")).sort();
}

/** 12 hex digits that change with every name and every byte. */
export function contentHash(files: ReadonlyMap<string, string>): string {
  const hash = createHash("sha256");
  for (const [path, text] of files) hash.update(JSON.stringify([path, text]));
  return hash.digest("hex").slice(0, 12);
}
