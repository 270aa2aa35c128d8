import { createHash } from "node:crypto";
import { BerthError, textOf } from "../../runner/errors.ts";
import { evaluateTemplate, toText } from "../../runner/expressions/evaluate.ts";
import type { Json } from "../../runner/expressions/template.ts";
import type { JobDescription } from "../../runner/job/job-description.ts";
import { fillContainer } from "../config/container-template.ts";
import type { Profile } from "../config/profile.ts";
import type { ServiceConfig } from "../config/resolve-files.ts";
import type { ContainerSettings } from "../containers/settings.ts";
import { judgeJob } from "../policy/policy.ts";
import type { Need } from "../profiles/need.ts";
import type { Claim } from "./claim.ts";
import type { AdmittedJob } from "./run-job.ts";
import type { Refusal } from "./run-leg.ts";

const DEFAULT_MAX_MINUTES = 360;

/** What a job's labels, its profile and the policy come to. */
export async function admitJob(
  description: JobDescription,
  {
    repository,
    claim,
    policy,
  }: { repository: string; claim: Claim } & Pick<ServiceConfig, "policy">,
): Promise<AdmittedJob | Refusal> {
  const need = claim.need(description.labels);
  if (typeof need === "string") return { reason: need };
  const profile = claim.profile(need);
  const settings = settingsOf(description, profile, need);
  if (settings instanceof BerthError) return { reason: textOf(settings) };

  const image = need.image ?? profile?.container?.image;
  const denial = judgeJob(policy, { job: description, profile, settings, image });
  if (denial !== undefined) {
    const { rule, reason, remedy } = denial;
    return { reason: `Denied by ${rule}: ${reason} ${remedy}` };
  }
  const environment = await environmentOf(description);
  if (environment instanceof BerthError) return { reason: textOf(environment) };
  const { timeoutMinutes } = description;
  return {
    description: {
      ...description,
      timeoutMinutes: Math.min(timeoutMinutes, profile?.maxMinutes ?? DEFAULT_MAX_MINUTES),
    },
    repository,
    need,
    priority: profile?.priority ?? 0,
    retries: profile?.retries ?? 0,
    ...(image !== undefined && { image }),
    ...(environment !== undefined && { environment }),
    ...(settings !== undefined && { settings }),
    ...(profile !== undefined && { profile }),
  };
}

function settingsOf(
  { id, runId, job, contexts }: JobDescription,
  profile: Profile | undefined,
  { image = "" }: Need,
): ContainerSettings | undefined | BerthError {
  if (profile?.container === undefined) return undefined;
  const { matrix } = contexts;
  try {
    return fillContainer(profile.container, {
      runId,
      job,
      matrix: isObject(matrix) ? matrix : {},
      // Names of containers are unique in an engine, and legs of a matrix share all but this.
      suffix: createHash("sha256").update(id).digest("hex").slice(0, 8),
      image,
    });
  } catch (error) {
    if (error instanceof BerthError) return error;
    throw error;
  }
}

/** The name of a job's environment; a mapping has it as `name`. */
async function environmentOf({
  environment,
  contexts,
}: JobDescription): Promise<string | undefined | BerthError> {
  if (environment === undefined) return undefined;
  try {
    const value = await evaluateTemplate(environment, { contexts });
    return toText(isObject(value) ? (value.name ?? null) : value) || undefined;
  } catch (error) {
    if (error instanceof BerthError) return error;
    throw error;
  }
}

function isObject(value: Json): value is { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
