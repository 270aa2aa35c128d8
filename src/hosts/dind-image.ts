import { join } from "node:path";
import { describeDindImage } from "../../runner/image/dind-image.ts";
import { type Engine, provideBase, provideImage } from "./engine-images.ts";
import { applySetup } from "./setup-step.ts";

/**
 * Sees to it that the engine has the image of jobs' own Docker daemons, and returns its name.
 *
 * @throws {BerthError} `SETUP_FAILED`
 */
export async function prepareDindImage(
  docker: Engine,
  {
    stateFolder,
    progress,
    signal,
  }: {
    readonly stateFolder: string;
    progress(line: string): void;
    readonly signal: AbortSignal;
  },
): Promise<string> {
  const image = await describeDindImage();
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
  return image.tag;
}
