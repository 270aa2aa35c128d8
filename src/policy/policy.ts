import type { JobPlaceRequest } from "../../runner/job/container-spec.ts";
import type { JobDescription } from "../../runner/job/job-description.ts";
import type { ServiceSpec, StepContainerSpec } from "../../runner/job/siblings.ts";
import type { RunSnapshot } from "../adoption/run-facts.ts";
import type { Policy } from "../config/policy.ts";
import type { Profile } from "../config/profile.ts";
import type { ContainerSettings } from "../containers/settings.ts";
import { settingsToSpec } from "../containers/settings-to-spec.ts";
import type { RunRecord } from "../store/records.ts";
import { isAllowedLogin, isAllowedName } from "./allowed.ts";
import { type Denial, firstDenial } from "./denial.ts";
import { judgeContainer, judgeImage, judgeOwnContainer } from "./judge-container.ts";
import { literalContainers } from "./literal-containers.ts";

/** Whether a run may use Berth at all. */
export function judgeRun(
  policy: Policy,
  facts: RunSnapshot,
  { repository }: Pick<RunRecord, "repository">,
): Denial | undefined {
  const { event, ref, workflowFile, github } = facts;
  const actors = [...new Set([github.actor, github.triggering_actor].map(String))];
  const denied = (rule: keyof Policy, reason: string): Denial => ({
    rule: `policy.${rule}`,
    reason,
    remedy: `policy.${rule} in berth.yml says what may run.`,
  });
  return firstDenial([
    () =>
      isAllowedName(repository, policy.repositories, { ignoreCase: true })
        ? undefined
        : denied("repositories", `The repository ${repository} is not among those that may run.`),
    () =>
      policy.events.some((one) => one === "*" || one === event)
        ? undefined
        : denied("events", `The event ${event} is not among those that may start jobs.`),
    () => (facts.isFork && policy.forks === "deny" ? forkDenied(facts, denied) : undefined),
    () => judgeAssociation(policy, facts, denied),
    () => {
      const other = actors.find((login) => !isAllowedLogin(login, policy.actors));
      return other === undefined
        ? undefined
        : denied("actors", `${other} is not among those who may start runs.`);
    },
    () =>
      isAllowedName(workflowFile, policy.workflows)
        ? undefined
        : denied("workflows", `The workflow ${workflowFile} is not among those that may run.`),
    () =>
      isAllowedName(ref, policy.refs)
        ? undefined
        : denied("refs", `The ref ${ref} is not among those whose runs may use Berth.`),
  ]);
}

type Denied = (rule: keyof Policy, reason: string) => Denial;

function forkDenied({ headRepository }: RunSnapshot, denied: Denied): Denial {
  const fork = headRepository ?? "a repository that is gone";
  return denied("forks", `The run is for code of ${fork}, which is another repository.`);
}

/** Only what comes from a pull request, an issue or a comment has an author; to push takes more than that. */
function judgeAssociation(
  { authorAssociation: wanted }: Policy,
  { event, authorAssociation: is, payloadMissing }: RunSnapshot,
  denied: Denied,
): Denial | undefined {
  if (wanted === undefined) return undefined;
  if (is === undefined) {
    const isNeeded = /^(pull_request|issue)/.test(event) && payloadMissing !== undefined;
    const reason = `What the author is to the repository is not known: ${payloadMissing}.`;
    return isNeeded ? denied("authorAssociation", reason) : undefined;
  }
  return wanted.some((one) => one === is)
    ? undefined
    : denied(
        "authorAssociation",
        `The author is ${is} to the repository, not ${wanted.join(", ")}.`,
      );
}

/** A job with its profile, before anything is made for it. */
export type JudgedJob = {
  readonly job: Pick<JobDescription, "container" | "services" | "steps">;
  readonly profile: Profile | undefined;
  /** Of the profile, filled in for this job: paths are normalised. */
  readonly settings: ContainerSettings | undefined;
  /** Of the labels, or else of the profile. */
  readonly image?: string | undefined;
};

/** Whether a job may run, as far as its text says; `judgeRequest` looks at what its expressions came to. */
export function judgeJob(
  policy: Policy,
  { job, profile, settings, image }: JudgedJob,
): Denial | undefined {
  const isOfProfile = image === undefined || image === profile?.container?.image;
  return firstDenial([
    () => (isOfProfile ? undefined : judgeImage(image, "The job's label", policy)),
    () => settings && judgeOwnContainer(settingsToSpec(settings), "The job's profile", policy),
    ...literalContainers(job).map(
      ({ what, container }) =>
        () =>
          judgeContainer(container, what, { policy, profile }),
    ),
    ...job.steps.map((step) => () => {
      const isImage = step.kind === "uses" && step.uses.startsWith("docker://");
      return isImage ? judgeImage(step.uses, `A step's \`uses\``, policy) : undefined;
    }),
  ]);
}

/**
 * What a running job asks for, its expressions evaluated: its own place, services, the container of a docker action. A container made
 * from a Dockerfile is no image that somebody names: do not ask for those.
 */
export function judgeRequest(
  policy: Policy,
  profile: Profile | undefined,
  request: JobPlaceRequest | readonly ServiceSpec[] | Pick<StepContainerSpec, "image">,
): Denial | undefined {
  if ("image" in request) return judgeImage(request.image, "A docker action's image", policy);
  if ("jobId" in request) {
    const { container } = request;
    return container && judgeContainer(container, "`container`", { policy, profile });
  }
  return firstDenial(
    request.map(
      (service) => () => judgeContainer(service, `\`services.${service.id}\``, { policy, profile }),
    ),
  );
}
