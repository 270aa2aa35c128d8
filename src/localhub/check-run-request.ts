import { z } from "zod";

/** More annotations go into further updates. */
const MAX_ANNOTATIONS = 50;
const MAX_TEXT = 65_535;
const MAX_ACTIONS = 3;

const CONCLUSIONS = [
  "action_required",
  "cancelled",
  "failure",
  "neutral",
  "success",
  "skipped",
  "stale",
  "timed_out",
] as const;

const Time = z.iso.datetime({ offset: true });

const AnnotationRequest = z
  .object({
    path: z.string(),
    start_line: z.int(),
    end_line: z.int(),
    start_column: z.int().optional(),
    end_column: z.int().optional(),
    annotation_level: z.enum(["notice", "warning", "failure"]),
    message: z.string().max(64 * 1024),
    title: z.string().max(255).optional(),
    raw_details: z
      .string()
      .max(64 * 1024)
      .optional(),
  })
  .refine(({ start_line: start, end_line: end }) => end >= start, {
    error: "end_line must not lie before start_line.",
  })
  .refine(
    ({ start_line: start, end_line: end, start_column: from, end_column: to }) =>
      start === end || (from === undefined && to === undefined),
    { error: "columns are for annotations on one line only." },
  );

const Output = z.object({
  title: z.string().optional(),
  summary: z.string().max(MAX_TEXT),
  text: z.string().max(MAX_TEXT).optional(),
  annotations: z.array(AnnotationRequest).max(MAX_ANNOTATIONS).optional(),
});

const Action = z.object({
  label: z.string().max(20),
  description: z.string().max(40),
  identifier: z.string().max(20),
});

const Change = z.object({
  name: z.string().min(1).optional(),
  details_url: z.url().optional(),
  external_id: z.string().optional(),
  started_at: Time.optional(),
  completed_at: Time.optional(),
  status: z.enum(["queued", "in_progress", "completed"]).optional(),
  conclusion: z.enum(CONCLUSIONS).optional(),
  output: Output.optional(),
  actions: z.array(Action).max(MAX_ACTIONS).optional(),
});

/** A change of a check run, checked as GitHub checks it. */
export const CheckRunChange = Change.refine(hasConclusion, {
  error: '"conclusion" wasn\'t supplied.',
});
export type CheckRunChange = z.infer<typeof Change>;

/** A new check run: its output needs a title. */
export const NewCheckRun = Change.extend({
  name: z.string().min(1),
  head_sha: z.string(),
  output: Output.extend({ title: z.string() }).optional(),
}).refine(hasConclusion, { error: '"conclusion" wasn\'t supplied.' });

function hasConclusion({ status, conclusion }: CheckRunChange): boolean {
  return status !== "completed" || conclusion !== undefined;
}
