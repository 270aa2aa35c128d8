import { BerthError } from "../../runner/errors.ts";
import type { ExecuteJobDeps, JobPlace } from "../../runner/job/execute-job.ts";
import type { Policy } from "../config/policy.ts";
import type { Profile } from "../config/profile.ts";
import type { Denial } from "../policy/denial.ts";
import { judgeRequest } from "../policy/policy.ts";

type OpenPlace = ExecuteJobDeps["openPlace"];
type Rules = { readonly policy: Policy; readonly profile: Profile | undefined };

/**
 * Applies policy to what a running job asks for: expressions in `container:`, `services:` and actions have come to something only
 * now.
 *
 * @throws {BerthError} `POLICY_DENIED`, out of what the place does.
 */
export function guardPlaces(open: OpenPlace, rules: Rules): OpenPlace {
  return async (request, options) => {
    refuse(judgeRequest(rules.policy, rules.profile, request));
    return guardSiblings(await open(request, options), rules);
  };
}

function guardSiblings(place: JobPlace, { policy, profile }: Rules): JobPlace {
  const { siblings } = place;
  if (siblings === undefined) return place;
  return {
    ...place,
    siblings: {
      ...siblings,
      // Images that were built here are not pulled, and come from folders that the job could run itself.
      async pullImage(image, options) {
        refuse(judgeRequest(policy, profile, { image }));
        await siblings.pullImage(image, options);
      },
      async startServices(services, options) {
        refuse(judgeRequest(policy, profile, services));
        return await siblings.startServices(services, options);
      },
    },
    [Symbol.asyncDispose]: () => place[Symbol.asyncDispose](),
  };
}

function refuse(denial: Denial | undefined): void {
  if (denial === undefined) return;
  const { rule, reason, remedy } = denial;
  throw new BerthError("POLICY_DENIED", { message: `Denied by ${rule}: ${reason}`, remedy });
}
