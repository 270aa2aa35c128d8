import { createHash } from "node:crypto";
import type Docker from "dockerode";
import { actionFolder } from "../../runner/actions/action-folder.ts";
import type { ActionRepository } from "../../runner/actions/action-source.ts";
import { actionArchive } from "./action-archive.ts";
import { engineError } from "./engine-error.ts";
import { CONTENT_LABEL, filledVolume } from "./filled-volume.ts";
import { ACTION_LABEL } from "./labels.ts";
import type { Mount } from "./options/container-options.ts";
import { removeVolume } from "./remove-objects.ts";
import { trimActions } from "./trim-actions.ts";
import { unlessAborted } from "./unless-aborted.ts";

/** Where actions lie in a job's container. */
export const ACTIONS_PATH = "/__w/_actions";

/**
 * The volumes of actions that this process has seen whole, or is filling, by their key. Shared by a run's jobs, each of them is asked for
 * or filled once.
 */
export type KnownActions = Map<string, Promise<string>>;

export type ActionVolumesOptions = {
  /** Any image of the engine, for filling. */
  image(): Promise<string>;
  readonly known: KnownActions;
  progress(line: string): void;
  readonly signal: AbortSignal;
};

/** An action's volume and its place in a container. */
export type ActionMount = {
  /** Absolute. */
  readonly path: string;
  readonly volume: string;
  readonly key: string;
};

/**
 * The engine's volumes with these actions, those that it lacks filled side by side.
 *
 * @throws {BerthError} `ACTION_INVALID` for a name that is no path, `ENGINE_REFUSED`, `ENGINE_LOST`
 */
export async function actionVolumes(
  docker: Docker,
  actions: readonly ActionRepository[],
  options: ActionVolumesOptions,
): Promise<ActionMount[]> {
  const byPath = new Map(
    actions.map((action) => [`${ACTIONS_PATH}/${actionFolder(action)}`, action]),
  );
  let fills = 0;
  const progress = (line: string) => {
    fills++;
    options.progress(line);
  };
  const provided = [...byPath].map(async ([path, action]): Promise<ActionMount> => {
    const volume = await provide(docker, action, { ...options, progress });
    return { path, key: actionKey(action), volume };
  });
  await Promise.allSettled(provided); // nothing goes on behind the back of whoever hears of a failure
  // Where that fails, `berth gc` does it again and says why.
  if (fills > 0) await trimActions(docker, [...byPath.values()].map(actionKey)).catch(() => {});
  return Promise.all(provided);
}

/** Owners and names are the same in any case for GitHub. What one server calls by a commit's id is no other server's. */
function actionKey({ server = "", owner, repo, commit }: ActionRepository): string {
  const name = `${server} ${owner}/${repo}`.toLowerCase();
  return `berth-action-${createHash("sha256").update(`${name}@${commit}`).digest("hex").slice(0, 32)}`;
}

/** Another job of this process may be at it; where that job is cancelled, this one takes over. */
async function provide(
  docker: Docker,
  action: ActionRepository,
  { image, known, progress, signal }: ActionVolumesOptions,
): Promise<string> {
  const key = actionKey(action);
  for (let pending = known.get(key); pending !== undefined; pending = known.get(key)) {
    const name = await unlessAborted(pending, signal).catch(() => undefined);
    signal.throwIfAborted();
    if (name !== undefined) return name;
  }
  const repository = `${action.owner}/${action.repo}`;
  const made = filledVolume(docker, {
    key,
    labels: { [ACTION_LABEL]: `${repository}@${action.commit}` },
    tar: () => actionArchive([{ folder: action.folder, to: "" }]),
    image,
    fills: () => progress(`Putting ${repository}@${action.ref} into a volume (once per engine)`),
    signal,
  }).catch((error: unknown) => {
    known.delete(key);
    signal.throwIfAborted();
    throw engineError(error, `fill the volume with ${repository}`);
  });
  known.set(key, made);
  return made;
}

export function actionMounts(actions: readonly ActionMount[]): Mount[] {
  return actions.map(({ path, volume }) => ({
    Type: "volume",
    Source: volume,
    Target: path,
    ReadOnly: true,
    VolumeOptions: { NoCopy: true },
  }));
}

/** Action volumes of a container that hold nothing. */
export class EmptiedActions extends Error {
  readonly emptied: readonly ActionMount[];

  constructor(emptied: readonly ActionMount[]) {
    super(`Volumes of actions are empty: ${emptied.map(({ path }) => path).join(", ")}`);
    this.emptied = emptied;
  }
}

/**
 * Sees to it that a container's action volumes are those that were filled: where one is gone by the time a container is made, the
 * engine makes an empty one of that name and says nothing. From then on the container keeps it from being removed.
 *
 * @throws {EmptiedActions}
 */
export async function needFilled(docker: Docker, actions: readonly ActionMount[]): Promise<void> {
  if (actions.length === 0) return;
  const filters = { name: actions.map(({ volume }) => volume) };
  const { Volumes: volumes } = await docker.listVolumes({ filters });
  const contents = new Map((volumes ?? []).map((it) => [it.Name, it.Labels?.[CONTENT_LABEL]]));
  const emptied = actions.filter(({ key, volume }) => contents.get(volume) !== key);
  if (emptied.length > 0) throw new EmptiedActions(emptied);
}

/** Forgets volumes that turned out to be empty, so that they are filled the next time they are asked for. */
export async function forgetEmptied(
  docker: Docker,
  { emptied }: EmptiedActions,
  known: KnownActions,
): Promise<void> {
  for (const { key, volume } of emptied) {
    if ((await known.get(key)?.catch(() => undefined)) === volume) known.delete(key);
    // Where another container uses it by now, that one's own check finds the same.
    await removeVolume(docker, volume).catch(() => {});
  }
}
