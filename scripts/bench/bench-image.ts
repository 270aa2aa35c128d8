import type Docker from "dockerode";
import { execMs, idleContainer } from "./bare-engine.ts";

export type BenchImage = AsyncDisposable & {
  readonly name: string;
};

const NAME = "berth-bench:latest";
/** On images that are built during the bench, so that they can be found and removed. */
export const BENCH_LABEL = "io.berth.bench";

/**
 * The job image with Node on its `PATH`, where `act` looks for it, and with a first process that stays, for a service. Disposing of it removes
 * it, and the images built on it.
 */
export async function makeBenchImage(
  docker: Docker,
  { jobImage, nodeVolume }: { readonly jobImage: string; readonly nodeVolume: string },
): Promise<BenchImage> {
  await using made = await idleContainer(docker, jobImage, { nodeVolume, user: "0" });
  await execMs(made.container, "cp /__e/node24/bin/node /usr/local/bin/node");
  const { User = "" } = (await docker.getImage(jobImage).inspect()).Config;
  const [repo, tag] = NAME.split(":");
  await made.container.commit({
    repo,
    tag,
    changes: [`USER ${User || "0"}`, "ENTRYPOINT []", 'CMD ["sleep", "infinity"]'].join("\n"),
  });
  return { name: NAME, [Symbol.asyncDispose]: () => removeImages(docker) };
}

/** By their names: one that another is built on cannot be removed by its id. */
async function removeImages(docker: Docker): Promise<void> {
  const built = await docker.listImages({ filters: { label: [BENCH_LABEL] } });
  for (const name of [...built.flatMap(({ RepoTags }) => RepoTags ?? []), NAME]) {
    await docker.getImage(name).remove({ force: true });
  }
}
