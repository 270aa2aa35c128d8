import { describeDindImage } from "../../runner/image/dind-image.ts";
import { proveDind } from "../containers/dind/prove-dind.ts";
import { hasImage } from "../containers/images.ts";
import type { DindModes } from "../profiles/capability.ts";

/**
 * What Docker daemons in containers of an engine can do, as `Trials.dind` has it. Tried only where the engine has Berth's image for them: it gets that with
 * the first job that asks for a daemon.
 *
 * @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED` when no container can be made at all.
 */
export async function tryDind(
  engine: Parameters<typeof proveDind>[0],
  signal: AbortSignal,
): Promise<DindModes | undefined> {
  const { tag: image } = await describeDindImage();
  if (!(await hasImage(engine.docker, image))) return undefined;
  const proofs = await proveDind(engine, { image, signal });
  return Object.fromEntries(
    proofs.map(({ mode, works, reason = "" }) => [mode, works || inShort(reason)]),
  );
}

/** The sentence, and the last line of the log. */
function inShort(reason: string): string {
  const [first = "", ...log] = reason.split("\n");
  return [first.replace(/ Its log:$/, ""), ...log.slice(-1)].join(" ");
}
