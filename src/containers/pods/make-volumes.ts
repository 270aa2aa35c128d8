import type Docker from "dockerode";
import { engineError, statusOf } from "../engine-error.ts";
import type { ImageFacts } from "../images.ts";
import type { Mount } from "../options/container-options.ts";
import { removeVolume } from "../remove-objects.ts";
import { podVolumeLabels } from "./pod-labels.ts";
import type { PodWish } from "./pod-wish.ts";
import type { UndoList } from "./undo-list.ts";

/** Where engines keep their data; the second is that of the rootless image. */
const ENGINE_DATA = ["/var/lib/docker", "/home/rootless/.local/share/docker"] as const;

/**
 * Makes the volumes that a pod names and that do not exist yet, and one for the data of an inner engine. Those that exist are somebody's, and are used as they are.
 *
 * @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED`
 */
export async function makeVolumes(
  docker: Docker,
  pod: { readonly podId: string; readonly wish: PodWish; readonly image: ImageFacts },
  undo: UndoList,
): Promise<{ mounts: readonly Mount[]; made: string[] }> {
  const { podId, wish } = pod;
  const data = wish.isDind ? await dataMount(docker, pod) : undefined;
  const mounts = [...wish.mounts, ...(data === undefined ? [] : [data])];
  const named = [
    ...mounts.flatMap(({ Type, Source = "" }) => (Type === "volume" ? [Source] : [])),
    ...wish.binds.map((bind) => bind.split(":")[0] ?? ""),
  ].filter((name) => name !== "" && !name.startsWith("/"));

  const made: string[] = [];
  for (const name of new Set(named)) {
    try {
      if (await exists(docker, name)) continue;
      const Labels = { ...podVolumeLabels(podId, { isData: name === data?.Source }) };
      await docker.createVolume({ Name: name, Labels });
    } catch (error) {
      throw engineError(error, `make the volume ${name}`);
    }
    made.push(name);
    undo.add(`the volume ${name}`, () => removeVolume(docker, name));
  }
  return { mounts, made };
}

/** `undefined` where the person has a volume there. */
async function dataMount(
  docker: Docker,
  { podId, wish, image }: Parameters<typeof makeVolumes>[1],
): Promise<Mount | undefined> {
  const { Config: config } = await docker.getImage(image.id).inspect();
  const volumes = Object.keys(config?.Volumes ?? {});
  const target = ENGINE_DATA.find((path) => volumes.includes(path)) ?? ENGINE_DATA[0];
  const targets = [
    ...wish.mounts.map(({ Target }) => Target),
    ...wish.binds.map((bind) => bind.split(":")[1]),
  ];
  if (targets.some((one) => one?.replace(/\/+$/, "") === target)) return undefined;
  return { Type: "volume", Source: `berth-pod-${podId}-docker`, Target: target };
}

async function exists(docker: Docker, name: string): Promise<boolean> {
  try {
    await docker.getVolume(name).inspect();
    return true;
  } catch (error) {
    if (statusOf(error) === 404) return false;
    throw error;
  }
}
