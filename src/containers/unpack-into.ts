import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type Docker from "dockerode";
import { extract, type Pack, pack } from "tar-stream";
import { actionFolder } from "../../runner/actions/action-folder.ts";
import type { ActionRepository } from "../../runner/actions/action-source.ts";
import { actionArchive } from "./action-archive.ts";
import { ACTIONS_PATH } from "./action-volumes.ts";
import type { UserIds } from "./container-user.ts";
import { engineError } from "./engine-error.ts";
import type { TarEntry } from "./tar-entry.ts";

/**
 * Unpacks a tar into a folder of a container, running or not; whatever the tar says of owners, all of it belongs to `owner`. It passes
 * through, so its size does not matter. Ends `tar` in every case.
 *
 * @throws {BerthError} `ENGINE_REFUSED`, also when the folder does not exist; `ENGINE_LOST`; what reading `tar` throws
 */
export async function unpackInto(
  container: Docker.Container,
  { tar, folder, owner }: { tar: Readable; folder: string; owner: UserIds },
  signal: AbortSignal,
): Promise<void> {
  const archive = pack();
  let unreadable: Error | undefined;
  const reading = writeOwned(tar, archive, owner).catch((error: Error) => {
    unreadable = error;
    archive.destroy(error);
  });
  const body = Readable.from(archive, { objectMode: false });
  try {
    await container.putArchive(body, { path: folder, abortSignal: signal });
  } catch (error) {
    const cause = unreadable; // what is done below ends the reading too
    signal.throwIfAborted();
    throw cause ?? engineError(error, `unpack an archive into ${folder}`);
  } finally {
    body.destroy();
    tar.destroy();
    await reading;
  }
}

/**
 * Puts actions into a running container, where the volumes of others were mounted when it was made. They belong to root.
 *
 * @throws {BerthError} `ACTION_INVALID`, `ENGINE_REFUSED`, `ENGINE_LOST`
 */
export async function addActions(
  container: Docker.Container,
  actions: readonly ActionRepository[],
  signal: AbortSignal,
): Promise<void> {
  if (actions.length === 0) return;
  const files = actions.map((action) => ({ folder: action.folder, to: actionFolder(action) }));
  const archive = actionArchive(files);
  try {
    await container.putArchive(archive, { path: ACTIONS_PATH, abortSignal: signal });
  } catch (error) {
    signal.throwIfAborted();
    throw engineError(error, "put actions into the job's container");
  } finally {
    archive.destroy();
  }
}

async function writeOwned(tar: Readable, archive: Pack, owner: UserIds): Promise<void> {
  const entries = extract();
  const feeding = pipeline(tar, entries);
  feeding.catch(() => {}); // the loop below throws the same
  for await (const entry of entries) {
    const header = ownedHeader(entry.header, owner);
    if (hasContent(header)) await pipeline(entry, archive.entry(header));
    else {
      archive.entry(header);
      entry.resume();
    }
  }
  await feeding;
  archive.finalize();
}

/** Without extended attributes, which repeat owner, name and size. */
function ownedHeader({ pax: _, uname: _user, gname: _group, ...header }: TarEntry, owner: UserIds) {
  return { ...header, ...owner };
}

function hasContent({ type }: TarEntry): boolean {
  return type === "file" || type === "contiguous-file";
}
