import { posix } from "node:path";
import { z } from "zod";
import { BerthError } from "../../runner/errors.ts";
import { toText } from "../../runner/expressions/evaluate.ts";
import type { Json } from "../../runner/expressions/template.ts";
import { ContainerSettings, NetworkSettings, ResourceSettings } from "../containers/settings.ts";
import { mapTexts, type Path, placeholdersIn, replacePlaceholders } from "./placeholders.ts";

/** A profile's container as `berth.yml` writes it: flat, its image optional. GPUs come from `needs`, so that they are leased. */
export const ProfileContainer = z.strictObject({
  image: ContainerSettings.shape.image
    .optional()
    .describe("Image of jobs that name none themselves. Default: Berth's job image."),
  credentials: ContainerSettings.shape.credentials,
  name: ContainerSettings.shape.name.describe(
    "Name of the container. Berth adds a few letters, so that no two jobs meet.",
  ),
  user: ContainerSettings.shape.user,
  workdir: ContainerSettings.shape.workdir,
  environment: ContainerSettings.shape.environment,
  volumes: ContainerSettings.shape.volumes.describe(
    "What is mounted where. Paths of the host must be below one of `policy.hostPaths`.",
  ),
  network: NetworkSettings.shape.mode,
  ...NetworkSettings.omit({ mode: true }).shape,
  ...ResourceSettings.omit({ gpus: true }).shape,
  privileged: ContainerSettings.shape.privileged.describe(
    "Lifts nearly all isolation from the host. Needs `policy.privileged: allow`.",
  ),
  options: ContainerSettings.shape.options,
});
export type ProfileContainer = z.infer<typeof ProfileContainer>;

/** Settings in which `${run_id}`, `${job}` and `${matrix.KEY}` wait for a job; checked as if one had come. */
export const ContainerTemplate = z
  .custom<z.input<typeof ProfileContainer>>()
  .check((context) => {
    const filled = mapTexts(context.value, (text) => replacePlaceholders(text, () => SAMPLE));
    const { error } = ProfileContainer.safeParse(filled);
    const issues = [...refuseTemplates(context.value), ...(error?.issues ?? [])];
    // Their paths begin at the container, those of the whole file are made of them.
    context.issues.push(...(issues as typeof context.issues));
  })
  .describe(
    "Settings of the job's container. `${run_id}`, `${job}` and `${matrix.KEY}` are filled in for each job.",
  );
export type ContainerTemplate = z.infer<typeof ContainerTemplate>;

/** What differs from job to job. */
export type JobValues = {
  readonly runId: string | number;
  /** The job's key in its workflow. */
  readonly job: string;
  readonly matrix: { readonly [key: string]: Json };
  /** Different for every job and leg; makes the container's name unique. */
  readonly suffix: string;
  /** The image of a job for which neither its workflow nor the profile names one. */
  readonly image: string;
};

/** Fits where a number, a size or the name of a volume is wanted. */
const SAMPLE = "11";
/** What a value from a workflow could change the meaning of, being more than a value there. */
const WITHOUT_TEMPLATES = ["options", "network", "credentials"];
/** Here settings are put together with colons and commas. */
const IN_PARTS = ["volumes", "ports", "extraHosts", "ulimits"];

/**
 * A profile's container for one job. Paths of the host are normalised, so that policy sees where they lead.
 *
 * @throws {BerthError} `CONFIG_INVALID` when the job's matrix lacks what the settings name, or its value does not fit.
 */
export function fillContainer(template: ContainerTemplate, values: JobValues): ContainerSettings {
  const filled = mapTexts(template, (text, path) =>
    replacePlaceholders(text, (name) => jobValue(name, { values, path })),
  );
  const result = ProfileContainer.safeParse(filled);
  if (!result.success) {
    throw cannotFill(
      result.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "),
    );
  }
  return toSettings(result.data, values);
}

function jobValue(
  name: string,
  { values, path }: { values: JobValues; path: Path },
): string | undefined {
  const text = textOf(name, values);
  if (text === undefined) return undefined;
  const key = String(path[0]);
  const forbidden = IN_PARTS.includes(key) ? /[\p{Cc}:,]/u : /[\p{Cc}]/u;
  if (key !== "environment" && forbidden.test(text)) {
    throw cannotFill(
      `the value of \${${name}} may not hold a colon, a comma or a line break in ${key}`,
    );
  }
  return text;
}

function textOf(name: string, { runId, job, matrix }: JobValues): string | undefined {
  if (name === "run_id") return String(runId);
  if (name === "job") return job;
  if (!name.startsWith("matrix.")) return undefined;
  const key = name.slice("matrix.".length);
  const value = Object.hasOwn(matrix, key) ? matrix[key] : undefined;
  if (value === undefined) throw cannotFill(`this job's matrix has no ${key}`);
  if (typeof value === "object" && value !== null)
    throw cannotFill(`matrix.${key} is no single value`);
  return toText(value);
}

function toSettings(container: ProfileContainer, { suffix, image }: JobValues): ContainerSettings {
  const { network: mode, aliases, ports, dns, extraHosts, name, volumes, ...rest } = container;
  const { credentials, user, workdir, environment, privileged, options, ...others } = rest;
  const { image: ownImage = image, ...resources } = others;
  return {
    image: ownImage,
    credentials,
    name: name === undefined ? undefined : containerName(name, suffix),
    user,
    workdir,
    environment,
    volumes: volumes.map((volume) => ({ ...volume, source: normalise(volume.source) })),
    network: { mode, aliases, ports, dns, extraHosts },
    resources,
    privileged,
    options,
  };
}

function normalise(source: string | undefined): string | undefined {
  return source?.startsWith("/") ? posix.resolve(source) : source;
}

/** Job keys of called workflows have slashes, matrix values anything; an engine takes letters, digits and `_.-`. */
function containerName(name: string, suffix: string): string {
  return `${name}-${suffix}`.replace(/[^\w.-]+/g, "-").replace(/^[^a-zA-Z0-9]+/, "");
}

function refuseTemplates(settings: object): { code: "custom"; path: Path; message: string }[] {
  return Object.entries(settings ?? {})
    .filter(([key]) => WITHOUT_TEMPLATES.includes(key))
    .filter(([, value]) => placeholdersIn(JSON.stringify(value) ?? "").length > 0)
    .map(([key]) => ({
      code: "custom",
      path: [key],
      message: "may not depend on the job: a workflow could ask for anything through it",
    }));
}

function cannotFill(reason: string): BerthError {
  return new BerthError("CONFIG_INVALID", {
    message: `The container settings of the profile do not fit this job: ${reason}.`,
    remedy: "Correct the profile in berth.yml, or the job's matrix.",
  });
}
