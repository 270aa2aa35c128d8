import { parseDocument, stringify } from "yaml";
import { BerthError } from "../runner/errors.ts";
import { readWorkflow } from "../runner/workflow/read-workflow.ts";
import type { Workflow } from "../runner/workflow/workflow.ts";

/**
 * A job as in a workflow: YAML text or an object. What has `jobs` is taken for a whole workflow, anything else for the
 * value of one job; that may leave `runs-on` out.
 */
export type JobSource = string | { readonly [key: string]: unknown };

const DEFAULT_LABEL = "ubuntu-latest";
const DEFAULT_ID = "job";

/**
 * Reads and checks a job. In a workflow with several jobs `id` says which.
 *
 * @throws {BerthError} `WORKFLOW_INVALID` with `file:line:col`, `USAGE` when it is not said which job.
 */
export function readJobSource(
  source: JobSource,
  { id, file = "job.yml" }: { id?: string | undefined; file?: string | undefined } = {},
): { workflow: Workflow; id: string } {
  const text = typeof source === "string" ? source : stringify(source);
  if (isWorkflow(text)) {
    const workflow = readWorkflow({ file, text });
    return { workflow, id: chooseJob(workflow, id) };
  }
  const only = id ?? DEFAULT_ID;
  return { workflow: readWorkflow({ file, text: wrapJob(text, only) }), id: only };
}

/** Text that is no YAML is left to the reader of workflows, which says where it is wrong. */
function isWorkflow(text: string): boolean {
  const document = parseDocument(text);
  return document.errors.length > 0 || document.has("jobs");
}

function wrapJob(text: string, id: string): string {
  const job: unknown = parseDocument(text).toJS();
  const fields = typeof job === "object" && job !== null && !Array.isArray(job) ? job : { job };
  return stringify({
    on: "workflow_dispatch",
    jobs: { [id]: { "runs-on": DEFAULT_LABEL, ...fields } },
  });
}

function chooseJob({ jobs, file }: Workflow, id: string | undefined): string {
  const [first, ...others] = jobs;
  const wanted = id ?? (others.length === 0 ? first?.id : undefined);
  const found = jobs.find((job) => job.id.toLowerCase() === wanted?.toLowerCase());
  if (found !== undefined) return found.id;
  const names = jobs.map((job) => job.id).join(", ");
  throw new BerthError("USAGE", {
    message:
      wanted === undefined
        ? `${file} has several jobs: ${names}.`
        : `There is no job '${wanted}' in ${file}.`,
    remedy: `Say which to run, as the option \`job\`: ${names}.`,
  });
}
