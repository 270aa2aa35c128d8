import { join } from "node:path";
import { textOf } from "../../runner/errors.ts";
import { describeDindImage } from "../../runner/image/dind-image.ts";
import type { ImageContext } from "../../runner/image/job-image.ts";
import { copyImage } from "../containers/copy-image.ts";
import type { ImageSupply } from "../containers/image-supply.ts";
import { hasImage } from "../containers/images.ts";
import { type Engine, provideBase, provideImage } from "./engine-images.ts";
import { applySetup } from "./setup-step.ts";

export type DindImageOptions = Pick<ImageSupply, "copyFrom"> & {
  readonly stateFolder: string;
  progress(line: string): void;
  readonly signal: AbortSignal;
};

/**
 * Sees to it that the engine has the image of jobs' own Docker daemons, and returns its name. Where there is another engine to copy it from, it is made
 * there, once for all: the machine itself need not reach a registry, nor packages.
 *
 * @throws {BerthError} `SETUP_FAILED`
 */
export async function prepareDindImage(docker: Engine, options: DindImageOptions): Promise<string> {
  const image = await describeDindImage();
  if (!(await hasImage(docker, image.tag)) && !(await copyDindImage(docker, image, options)))
    await makeDindImage(docker, image, options);
  return image.tag;
}

/** False where there is nothing to copy it from, or only one for other processors. */
async function copyDindImage(
  to: Engine,
  image: ImageContext,
  { copyFrom, ...options }: DindImageOptions,
): Promise<boolean> {
  const { progress, signal } = options;
  const from = await copyFrom?.(signal);
  if (from === undefined) return false;
  try {
    await makeDindImage(from, image, options);
  } catch (error) {
    signal.throwIfAborted();
    progress(`Cannot be made on Berth's own machine, and so is made on the host: ${textOf(error)}`);
    return false;
  }
  return await copyImage(image.tag, { from, to, progress, signal });
}

async function makeDindImage(
  docker: Engine,
  image: ImageContext,
  { stateFolder, progress, signal }: DindImageOptions,
): Promise<void> {
  const steps = [
    provideBase(docker, [image], { workFolder: join(stateFolder, "work"), mayInstall: false }),
    provideImage(docker, image, {
      name: "Build the image of Docker daemons",
      why: "Jobs with the label dind have a daemon of their own, which runs in it.",
    }),
  ];
  await applySetup(steps, {
    report: (event) => {
      if (event.type === "step_started") progress(`${event.name}. ${event.why}`);
      if (event.type === "step_progress") progress(event.line);
    },
    signal,
  });
}
