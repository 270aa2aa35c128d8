import { randomBytes } from "node:crypto";
import type { Readable } from "node:stream";
import type Docker from "dockerode";
import { statusOf } from "../src/containers/engine-error.ts";
import { CONTENT_LABEL } from "../src/containers/filled-volume.ts";
import { cacheLabels, type Labels, OWNER_LABEL } from "../src/containers/labels.ts";
import { isOwnerAlive } from "../src/containers/owner.ts";
import { removeContainer, removeVolume } from "../src/containers/remove-objects.ts";
import { jobImage, testMachine } from "./engine.ts";
import { createHostContainer, type Exec, execOn, untilReady } from "./host-container.ts";
import { hostImage } from "./host-image.ts";

/** On the volume with a seed, and on the marker that says it is whole: the seed's key. */
const SEED_LABEL = "io.berth.test-seed";
/** On the marker: the name of the volume. */
const WHOLE_LABEL = "io.berth.test-seed-whole";

/**
 * The volume with what an engine has once the job image and the volume with Node are there; made when it is missing, and kept. As with
 * `filledVolume`, one counts only once its marker exists.
 */
export async function provideHostSeed(
  docker: Docker,
  onMake: () => void = () => {},
): Promise<string> {
  const { jobImage: image, nodeVolume } = await testMachine();
  const version = image.split(":")[1] ?? "";
  const key = `berth-test-seed-${version}-${nodeVolume.name.slice("berth-node-".length)}`;
  const known = await findSeed(docker, key);
  if (known !== undefined) return known;

  onMake();
  const seed = `${key}-${randomBytes(4).toString("hex")}`;
  await docker.createVolume({ Name: seed, Labels: { ...cacheLabels(), [SEED_LABEL]: key } });
  await fillSeed(docker, seed);
  // The engine makes a marker once: whoever comes second is given the first one's.
  const labels = { ...cacheLabels(), [SEED_LABEL]: key, [WHOLE_LABEL]: seed };
  await docker.createVolume({ Name: key, Labels: labels });
  const winner = (await findSeed(docker, key)) ?? seed;
  await removeOthers(docker, key, winner);
  return winner;
}

async function findSeed(docker: Docker, key: string): Promise<string | undefined> {
  try {
    const { Labels } = await docker.getVolume(key).inspect();
    const seed = Labels[WHOLE_LABEL] ?? "";
    await docker.getVolume(seed).inspect();
    return seed;
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

/** An engine on the volume takes everything in, and ends. */
async function fillSeed(docker: Docker, seed: string): Promise<void> {
  const volumes = [`${seed}:/var/lib/docker`];
  const { tag: image } = hostImage("engine");
  const container = await createHostContainer(docker, { image, name: "seed", volumes });
  try {
    await container.start();
    const exec = execOn(docker, container);
    await untilReady(exec);
    await loadJobImage(docker, exec);
    await copyNodeVolume(docker, exec);
    await container.stop({ t: 10 });
  } finally {
    await removeContainer(docker, container.id);
  }
}

/** Streams the job image from the engine that tests run on to that of a host machine; its name. */
export async function loadJobImage(docker: Docker, exec: Exec): Promise<string> {
  const name = await jobImage();
  const stdin = (await docker.getImage(name).get()) as Readable;
  await succeed(exec("docker load", { stdin }));
  return name;
}

async function copyNodeVolume(docker: Docker, exec: Exec): Promise<void> {
  const { nodeVolume, jobImage: image } = await testMachine();
  const { Labels } = await docker.getVolume(nodeVolume.name).inspect();
  const marker = Labels[CONTENT_LABEL] ?? "";
  const { Labels: markerLabels } = await docker.getVolume(marker).inspect();
  await succeed(
    exec(`docker volume create ${flags(markerLabels)} ${marker}
docker volume create ${flags(Labels)} ${nodeVolume.name}`),
  );

  const reader = await docker.createContainer({
    Image: image,
    HostConfig: { Binds: [`${nodeVolume.name}:/content:ro`] },
  });
  try {
    const stdin = (await reader.getArchive({ path: "/content/." })) as Readable;
    await succeed(exec(`tar -xC /var/lib/docker/volumes/${nodeVolume.name}/_data`, { stdin }));
  } finally {
    await removeContainer(docker, reader.id);
  }
}

function flags(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `--label '${name}=${value}'`)
    .join(" ");
}

async function succeed(printed: ReturnType<Exec>): Promise<void> {
  const { exitCode, stderr } = await printed;
  if (exitCode !== 0) throw new Error(`A host machine could not be given what it needs: ${stderr}`);
}

/** Seeds of older job images, and those of who was slower or did not finish. */
async function removeOthers(docker: Docker, key: string, seed: string): Promise<void> {
  const { Volumes } = await docker.listVolumes({ filters: { label: [SEED_LABEL] } });
  const others = Volumes.filter(({ Name, Labels }) => {
    const isMine = Labels[SEED_LABEL] === key && (Name === key || Name === seed);
    const isBeingFilled =
      Labels[WHOLE_LABEL] === undefined && isOwnerAlive(Labels[OWNER_LABEL] ?? "");
    return !isMine && !isBeingFilled;
  });
  // One that a machine uses stays.
  await Promise.allSettled(others.map(({ Name }) => removeVolume(docker, Name)));
}
