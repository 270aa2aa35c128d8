import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { contentHash, describeJobImage, type ImageContext } from "./job-image.ts";
import { packageFolder } from "./package-folder.ts";

/** The image of a job's own Docker daemon, named for its content: `berth-dind:<hash>`. It trusts what the job image trusts. */
export async function describeDindImage(): Promise<ImageContext> {
  const dockerfile = join(packageFolder(), "runner/image/dind/Dockerfile");
  const { files: ofJobImage } = await describeJobImage();
  const certificates = [...ofJobImage].filter(([path]) => path.startsWith("certificates/"));
  const files = new Map([["Dockerfile", await readFile(dockerfile, "utf8")], ...certificates]);
  return { tag: `berth-dind:${contentHash(files)}`, files };
}
