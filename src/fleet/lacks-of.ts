import type { JobDescription } from "../../runner/job/job-description.ts";
import type { Annotation } from "../../runner/job/job-event.ts";
import type { Workflow } from "../../runner/workflow/workflow.ts";
import { type Lack, missingSecrets, oidcUsers } from "../adoption/missing-secrets.ts";

/** What a job asks for and cannot have here, each as an annotation at its place. */
export function lacksOf(
  workflow: Workflow,
  { job }: Pick<JobDescription, "job">,
  held: ReadonlySet<string>,
): Annotation[] {
  const jobs = workflow.jobs.filter(({ id }) => id === job);
  const secrets = missingSecrets(workflow, held, jobs).map((lack) =>
    noticeAt(
      lack,
      `Berth holds no secret ${lack.name}, and GitHub's own are not handed out: it is empty here. "berth secret set ${lack.name}" gives Berth one.`,
    ),
  );
  const tokens = oidcUsers(workflow, jobs).map((lack) =>
    noticeAt(lack, "Identity tokens (id-token: write) come from GitHub to its own runners only."),
  );
  return [...secrets, ...tokens];
}

function noticeAt({ file, line }: Lack, message: string): Annotation {
  return { level: "warning", message, file, startLine: line };
}
