import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { type Header, pack } from "tar-stream";

export type TarballEntry = Partial<Header> & { readonly name: string; readonly content?: string };

export const ACTION_YML = "name: a\nruns: { using: composite, steps: [] }\n";

/** A gzipped tar with just these entries. */
export async function tarball(entries: readonly TarballEntry[]): Promise<Buffer> {
  const tar = pack();
  for (const { content, ...header } of entries) {
    if (content === undefined && header.type !== undefined && header.type !== "file") {
      tar.entry(header);
    } else {
      tar.entry(header, content ?? "");
    }
  }
  tar.finalize();
  return gzipSync(await buffer(tar as unknown as AsyncIterable<Uint8Array>));
}

/** As GitHub makes them: all in one folder. */
export async function githubTarball(files: { readonly [path: string]: string }): Promise<Buffer> {
  return tarball([
    { name: "o-r-c0ffee0/", type: "directory" },
    ...Object.entries(files).map(([path, content]) => ({ name: `o-r-c0ffee0/${path}`, content })),
  ]);
}
