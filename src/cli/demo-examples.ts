import { join } from "node:path";
import { packageFolder } from "../../runner/image/package-folder.ts";
import type { RunFlags } from "./run-options.ts";

/** One workflow of `examples/workflows`, and what of it is run. */
export type Example = {
  /** Its name in the folder of workflows. */
  readonly file: string;
  readonly title: string;
  readonly flags?: Partial<RunFlags>;
};

/** What the demo would show elsewhere, and why it does not here. */
export type LeftOut = { readonly file: string; readonly title: string; readonly why: string };

/** The names of images that the engine has, which the workflows take instead of those of a registry. */
export type DemoImages = {
  readonly debian: string;
  readonly busybox: string;
  readonly python: string;
};

export type Shown = { readonly examples: readonly Example[]; readonly leftOut: readonly LeftOut[] };

const TITLES = {
  main: "Jobs that hand values on, one in a container of its own",
  actions: "A JavaScript, a composite and a docker action",
  service: "A container beside the job, as a service",
  pipeline: "A matrix over datasets, two at a time, with folders of this machine",
  platforms: "One test on three systems",
};

/** All examples, but for those that mount folders of this machine where the engine is not on it. */
export function containerExamples(
  images: DemoImages,
  { output, isEngineHere }: { readonly output: string; readonly isEngineHere: boolean },
): Shown {
  const vars = [
    `DEBIAN_IMAGE=${images.debian}`,
    `BUSYBOX_IMAGE=${images.busybox}`,
    `PYTHON_IMAGE=${images.python}`,
  ];
  const folders = [
    `INPUT_FOLDER=${join(packageFolder(), "examples/data")}`,
    `OUTPUT_FOLDER=${output}`,
  ];
  const pipeline = { file: "data-pipeline.yml", title: TITLES.pipeline };
  return {
    examples: [
      { file: "main.yml", title: TITLES.main, flags: { var: vars } },
      { file: "actions.yml", title: TITLES.actions, flags: { var: vars } },
      { file: "service.yml", title: TITLES.service, flags: { var: vars } },
      ...(isEngineHere ? [{ ...pipeline, flags: { var: [...vars, ...folders] } }] : []),
      { file: "multi-platform.yml", title: TITLES.platforms, flags: { var: vars } },
    ],
    leftOut: isEngineHere ? [] : [{ ...pipeline, why: "the engine is on another machine" }],
  };
}

/** The jobs that need no container of their own. */
export function localExamples(): Shown {
  const why = "no container engine";
  return {
    examples: [
      { file: "main.yml", title: "Jobs that hand values on", flags: { job: ["report"] } },
      {
        file: "actions.yml",
        title: "A JavaScript and a composite action",
        flags: { job: ["count"] },
      },
    ],
    leftOut: [
      { file: "main.yml", title: "A job in a container of its own", why },
      { file: "actions.yml", title: "A docker action", why },
      { file: "service.yml", title: TITLES.service, why },
      { file: "data-pipeline.yml", title: TITLES.pipeline, why },
      { file: "multi-platform.yml", title: TITLES.platforms, why },
    ],
  };
}
