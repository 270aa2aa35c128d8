import { z } from "zod";
import type { Json } from "../../runner/expressions/template.ts";

const JsonValue = z.json() as unknown as z.ZodType<Json>;

/** What planning a run needs, read from GitHub once and kept in `RunRecord.facts`: each life of the service plans the same. */
export const RunSnapshot = z.object({
  event: z.string(),
  /** Why `github.event` is empty: the payload of the event could not be found. */
  payloadMissing: z.string().optional(),
  /** `github.sha`: the commit that GitHub used, which is also where the workflow file was read. */
  sha: z.string(),
  ref: z.string(),
  /** Of pull requests; else empty. */
  baseRef: z.string(),
  headRef: z.string(),
  /** Relative to the repository's root. */
  workflowFile: z.string(),
  /** Absent: there is no such file at that commit. */
  workflowText: z.string().optional(),
  /** The context, complete but for what only a job or a step can know. */
  github: z.record(z.string(), JsonValue),
  /** Typed by `workflow_dispatch`; null for other events. */
  inputs: JsonValue,
  vars: z.record(z.string(), z.string()),
  /** The code, or the pull request's head, is of another repository, or of one that is gone. */
  isFork: z.boolean(),
  /** `OWNER/NAME` of where the code comes from; null when it is gone. */
  headRepository: z.string().nullable(),
  /** What the author of the pull request, issue or comment is to the repository. */
  authorAssociation: z.string().optional(),
  title: z.string(),
});
export type RunSnapshot = z.infer<typeof RunSnapshot>;
