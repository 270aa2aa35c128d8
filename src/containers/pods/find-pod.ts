import { BerthError } from "../../../runner/errors.ts";
import type { Engine } from "../connect-engine.ts";
import { engineError, statusOf } from "../engine-error.ts";
import type { FoundPod } from "./list-pods.ts";

/**
 * The pod of a name, or of the beginning of an id.
 *
 * @param pods All of them, of all engines that could be asked.
 * @param engines Asked whether they have a container of that name that is not Berth's, for the words of the error.
 * @throws {BerthError} `USAGE` when there is none, several, or one that is no pod.
 */
export async function findPod(
  text: string,
  pods: readonly FoundPod[],
  engines: readonly Engine[],
): Promise<FoundPod> {
  const named = pods.filter(({ pod }) => pod.name === text || pod.id === text);
  // A name that Berth gave is an id, too.
  const begun = /^(pod-)?[0-9a-f]+$/.test(text)
    ? pods.filter(({ pod }) => pod.id.startsWith(text) || pod.name.startsWith(text))
    : [];
  const found = named.length > 0 ? named : begun;
  const [first, ...others] = found;
  if (first !== undefined && others.length === 0) return first;
  if (first !== undefined) throw several(text, found);
  for (const engine of engines) if (await hasContainer(engine, text)) throw foreign(text);
  throw new BerthError("USAGE", {
    message: `There is no container ${text} of \`berth container create\`.`,
    remedy: "`berth container ls` lists those that there are.",
  });
}

function several(text: string, found: readonly FoundPod[]): BerthError {
  const list = found.map(({ pod }) => `${pod.name} (${pod.id.slice(0, 12)}, on ${pod.host})`);
  return new BerthError("USAGE", {
    message: `${text} could be ${list.join(" or ")}.`,
    remedy: "Give more of the id, or --host.",
  });
}

/** Somebody else's container is not touched, however it is named. */
function foreign(text: string): BerthError {
  return new BerthError("USAGE", {
    message: `The container ${text} was not made by \`berth container create\`, and is left alone.`,
    remedy: "Use the engine's own command for it, such as `docker rm`.",
  });
}

async function hasContainer({ docker }: Engine, text: string): Promise<boolean> {
  try {
    await docker.getContainer(encodeURIComponent(text)).inspect();
    return true;
  } catch (error) {
    // 400: no container can have that name.
    if ([400, 404].includes(statusOf(error) ?? 0)) return false;
    throw engineError(error, `look for the container ${text}`);
  }
}
