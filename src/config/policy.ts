import { z } from "zod";

const ASSOCIATIONS = [
  "OWNER",
  "MEMBER",
  "COLLABORATOR",
  "CONTRIBUTOR",
  "FIRST_TIME_CONTRIBUTOR",
  "FIRST_TIMER",
  "MANNEQUIN",
  "NONE",
] as const;

/** The events of GitHub that start workflows. */
const EVENTS = [
  "branch_protection_rule",
  "check_run",
  "check_suite",
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
  "pull_request_target",
  "push",
  "registry_package",
  "release",
  "repository_dispatch",
  "schedule",
  "status",
  "watch",
  "workflow_dispatch",
  "workflow_run",
] as const;

const HostPath = z
  .string()
  .regex(/^\/(?!.*\/\/)(?!(.*\/)?\.{1,2}(\/|$))/, "must be an absolute path without . and ..");

/** Which jobs may run, looked at before anything is made for them. Patterns are GitHub's filter patterns. */
export const Policy = z.strictObject({
  repositories: z
    .array(
      z
        .string()
        .regex(
          /^!?(\*|\*\*|[^/\s]+\/[^/\s]+)$/,
          "must be OWNER/NAME, with * where anything may be",
        ),
    )
    .min(1)
    .default(["*"])
    .describe(
      "Repositories whose jobs may run, like my-org/*. Default: all that the App is installed on.",
    ),
  events: z
    .array(z.enum(["*", ...EVENTS]))
    .min(1)
    .default(["*"])
    .describe("Events whose runs may use Berth."),
  forks: z
    .enum(["deny", "allow"])
    .default("deny")
    .describe("Runs whose code comes from a fork. They never get secrets."),
  authorAssociation: z
    .array(z.enum(ASSOCIATIONS))
    .min(1)
    .optional()
    .describe(
      "What the author of a pull request must be to the repository, one of these. Left out: anything.",
    ),
  actors: z
    .array(z.string().min(1))
    .min(1)
    .default(["*"])
    .describe("Logins of those who may start runs."),
  workflows: z
    .array(z.string().min(1))
    .min(1)
    .default(["*"])
    .describe("Paths of workflow files, like .github/workflows/ci.yml."),
  refs: z
    .array(
      z.string().regex(/^!?(refs\/\S+|\*|\*\*)$/, "must begin with refs/, like refs/heads/main"),
    )
    .min(1)
    .default(["*"])
    .describe("Branches and tags whose runs may use Berth, like refs/heads/main or refs/tags/**."),
  images: z
    .array(z.string().min(1))
    .min(1)
    .default(["*"])
    .describe("Images that jobs, services and docker steps may use."),
  hostPaths: z
    .array(HostPath)
    .default([])
    .describe("Folders of the host that may be mounted, and what is below them. Default: none."),
  privileged: z
    .enum(["deny", "allow"])
    .default("deny")
    .describe("Whether a profile may have or allow privileged containers."),
});
export type Policy = z.infer<typeof Policy>;
