import { z } from "zod";
import type { Json } from "../../runner/expressions/template.ts";

export type Payload = { readonly [key: string]: Json };

const Sender = z.object({ login: z.string(), type: z.string().optional() });
const Repository = z.object({ id: z.number(), full_name: z.string() });
const Installation = z.object({ id: z.number() });
const OfApp = z.object({ app: z.object({ id: z.number() }).nullish() });

export const AnyPayload = z.custom<Payload>(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  { error: "must be an object" },
);

/** `https://docs.github.com/webhooks/webhook-events-and-payloads#workflow_job` */
export const WorkflowJobPayload = z.object({
  action: z.string(),
  workflow_job: z.object({
    id: z.number(),
    run_id: z.number(),
    run_attempt: z.number(),
    head_sha: z.string(),
    name: z.string(),
    labels: z.array(z.string()),
    conclusion: z.string().nullish(),
    runner_name: z.string().nullish(),
    created_at: z.iso.datetime({ offset: true }),
    completed_at: z.iso.datetime({ offset: true }).nullish(),
  }),
  repository: Repository,
  installation: Installation,
  sender: Sender,
});
export type WorkflowJobPayload = z.infer<typeof WorkflowJobPayload>;

export const WorkflowRunPayload = z.object({
  action: z.string(),
  workflow_run: z.object({
    id: z.number(),
    run_attempt: z.number(),
    conclusion: z.string().nullish(),
    updated_at: z.iso.datetime({ offset: true }),
  }),
  repository: Repository,
  sender: Sender,
});

export const CheckRunPayload = z.object({
  action: z.string(),
  check_run: z.object({ id: z.number(), head_sha: z.string(), ...OfApp.shape }),
  requested_action: z.object({ identifier: z.string() }).nullish(),
  repository: Repository,
  sender: Sender,
});

export const CheckSuitePayload = z.object({
  action: z.string(),
  check_suite: z.object({ head_sha: z.string(), ...OfApp.shape }),
  repository: Repository,
  sender: Sender,
});

export const InstallationPayload = z.object({ installation: Installation });

/** Of an event that may start workflows. */
export const TriggerPayload = z.object({ repository: Repository, sender: Sender.optional() });

/** Events that workflows name below `on:`, as far as GitHub sends a webhook for them. */
const TRIGGERS: ReadonlySet<string> = new Set([
  "branch_protection_rule",
  "create",
  "delete",
  "deployment",
  "deployment_status",
  "discussion",
  "discussion_comment",
  "fork",
  "gollum",
  "issue_comment",
  "issues",
  "label",
  "merge_group",
  "milestone",
  "page_build",
  "public",
  "pull_request",
  "pull_request_review",
  "pull_request_review_comment",
  "push",
  "registry_package",
  "release",
  "repository_dispatch",
  "status",
  "watch",
  "workflow_dispatch",
  "workflow_run",
]);

export function isTrigger(event: string): boolean {
  return TRIGGERS.has(event);
}

/** What a payload of an event must have; `undefined` of an event that nothing is made of. */
export function schemaOf(event: string): z.ZodType | undefined {
  switch (event) {
    case "workflow_job":
      return WorkflowJobPayload;
    case "workflow_run":
      return WorkflowRunPayload;
    case "check_run":
      return CheckRunPayload;
    case "check_suite":
      return CheckSuitePayload;
    case "installation":
    case "installation_repositories":
      return InstallationPayload;
    default:
      return isTrigger(event) ? TriggerPayload : undefined;
  }
}

/** Whether a later step reads more of it than that it came: checks that start or end are nothing to us. */
export function isUsed(event: string, action: string | undefined): boolean {
  if (schemaOf(event) === undefined) return false;
  if (event === "check_run") return action === "rerequested" || action === "requested_action";
  return event !== "check_suite" || action === "rerequested";
}

/** What a payload lacks, in words; values are not quoted, since a payload may hold secrets. */
export function describeIssues(error: z.ZodError): string {
  return error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ");
}
