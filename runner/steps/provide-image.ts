import { basename, dirname, join } from "node:path/posix";
import type { ActionRuns } from "../actions/action-manifest.ts";
import { BerthError } from "../errors.ts";
import { onceOutside } from "../job/once-outside.ts";
import type { RunningJob } from "../job/running-job.ts";
import type { BuildSource } from "../job/siblings.ts";
import type { StepLog } from "../logs/step-log.ts";
import type { LoadedAction } from "./load-action.ts";
import type { StepStop } from "./step-stop.ts";

/** What a docker action's image is made from; two with the same `key` are one. */
export type ImageSource = { readonly key: string } & (
  | { readonly pull: string }
  | { readonly build: BuildSource }
);

/** Where the image of a docker action comes from. */
export function imageSourceOf(
  { folder, prepared }: LoadedAction,
  { image }: ActionRuns & { using: "docker" },
): ImageSource {
  if (image.kind === "registry") return { key: image.image, pull: image.image };
  const file = join(folder, image.path);
  const build = prepared?.build ?? {
    side: "job",
    folder: dirname(file),
    dockerfile: basename(file),
  };
  return { key: `${build.side}:${build.folder}/${build.dockerfile}`, build };
}

/**
 * The name of an image that the engine has now, pulled or built unless this job has done so. One that is built from the workspace may
 * have changed since, so it is asked for each time; the engine's cache makes that cheap.
 *
 * @throws {BerthError} `ENGINE_NOT_FOUND` where there is no engine, `IMAGE_NOT_FOUND`, `ACTION_BUILD_FAILED`
 */
export async function provideImage(
  source: ImageSource,
  running: RunningJob,
  { log, stop }: { readonly log: StepLog; readonly stop: StepStop },
): Promise<string> {
  const { images } = running.actions;
  const known = images.get(source.key);
  if (known !== undefined) return known;
  const { siblings } = running.place;
  if (siblings === undefined) throw noEngine(source);
  const signal = AbortSignal.any([stop.signal, running.cancellation.tornDown]);
  const options = { progress: log.write, signal };
  const pullOrBuild = async () => {
    if ("build" in source) return await siblings.buildImage(source.build, options);
    await siblings.pullImage(source.pull, options);
    return source.pull;
  };
  const name = await onceOutside(running, pullOrBuild, stop);
  if (!("build" in source) || source.build.side === "trusted") images.set(source.key, name);
  return name;
}

function noEngine(source: ImageSource): BerthError {
  const what = "pull" in source ? source.pull : source.key;
  return new BerthError("ENGINE_NOT_FOUND", {
    message: `A docker action (${what}) needs a container engine, and this job runs on this machine itself, without one.`,
    remedy: "Run it with --backend docker, or skip the step with an `if:`.",
  });
}
