import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:fs";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { actionFolder } from "../actions/action-folder.ts";
import type { ActionRepository } from "../actions/action-source.ts";
import { BerthError } from "../errors.ts";

/**
 * Copies actions to their places below a folder: nothing on this machine could keep a step from changing what it is given.
 *
 * @throws {BerthError} `ACTION_INVALID`
 */
export async function placeActions(
  actions: readonly ActionRepository[],
  folder: string,
): Promise<void> {
  const copied = actions.map(async (action) => {
    const target = join(folder, actionFolder(action));
    const mode = constants.COPYFILE_FICLONE;
    await cp(action.folder, target, { recursive: true, verbatimSymlinks: true, mode });
  });
  await Promise.allSettled(copied); // nothing is still being written when the folder is removed
  await Promise.all(copied);
}

/**
 * Unpacks a tar into a folder of this machine; what is unpacked belongs to this process's user. Names that lead out of the folder are
 * refused, as the program `tar` does.
 *
 * @throws {BerthError} `SETUP_FAILED` with what `tar` said; what reading the archive throws
 */
export async function unpackHere(
  tar: Readable,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const child = spawn("tar", ["-x", "-o", "-f", "-", "-C", folder], {
    stdio: ["pipe", "ignore", "pipe"],
  });
  const said = text(child.stderr).catch(() => "");
  const ended = once(child, "close").catch((error: Error) => {
    throw cannotUnpack(folder, error.message, error);
  });
  const stop = () => {
    tar.destroy();
    child.kill("SIGKILL");
  };
  signal.addEventListener("abort", stop, { once: true });
  const fed = pipeline(tar, child.stdin);
  const [feeding, ending] = await Promise.allSettled([fed, ended]);
  signal.removeEventListener("abort", stop);

  signal.throwIfAborted();
  if (ending.status === "rejected") throw ending.reason;
  // Where tar stopped reading, it has said why.
  if (feeding.status === "rejected" && feeding.reason.code !== "EPIPE") throw feeding.reason;
  const [code] = ending.value;
  if (code !== 0) throw cannotUnpack(folder, (await said).trim());
}

function cannotUnpack(folder: string, said: string, cause?: unknown): BerthError {
  return new BerthError("SETUP_FAILED", {
    message: `Files could not be unpacked into ${folder}: ${said}`,
    remedy:
      "See that the program tar is on the PATH, that the folder exists and the disk has room.",
    cause,
  });
}
