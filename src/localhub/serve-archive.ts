import { createHmac, timingSafeEqual } from "node:crypto";
import { askGit } from "./git.ts";
import { type RawReply, refuse } from "./handle-request.ts";
import { findRepository, type Hub, type Repository } from "./hub.ts";
import { notFound } from "./refusal.ts";

const PATH = /^\/codeload\/([^/]+\/[^/]+)\/legacy\.tar\.gz\/([0-9a-f]{40})$/;

/** The archive that a tarball's redirection leads to; its one folder is named `OWNER-REPO-COMMIT`. */
export async function serveArchive(hub: Hub, url: URL): Promise<RawReply> {
  const [, fullName = "", sha = ""] = PATH.exec(url.pathname) ?? [];
  const repository = findRepository(hub, fullName);
  if (!repository || !mayRead(hub, repository, sha, url.searchParams.get("token") ?? "")) {
    return refuse(notFound());
  }
  const folder = `${repository.owner.login}-${repository.name}-${sha.slice(0, 7)}`;
  const args = ["archive", "--format=tar.gz", `--prefix=${folder}/`, sha];
  const { code, stdout } = await askGit(repository.folder, args);
  if (code !== 0) return refuse(notFound());
  const headers = {
    "Content-Type": "application/x-gzip",
    "Content-Disposition": `attachment; filename=${folder}.tar.gz`,
  };
  return { status: 200, headers, bytes: stdout };
}

/** Good for one commit of one repository, as long as the hub lives. */
export function temporaryToken(hub: Hub, { id }: Repository, sha: string): string {
  return createHmac("sha256", hub.archiveKey).update(`${id} ${sha}`).digest("hex");
}

function mayRead(hub: Hub, repository: Repository, sha: string, token: string): boolean {
  if (!repository.isPrivate) return true;
  const expected = Buffer.from(temporaryToken(hub, repository, sha));
  const given = Buffer.from(token);
  return given.length === expected.length && timingSafeEqual(given, expected);
}
