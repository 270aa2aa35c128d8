import type { Masker } from "../logs/mask.ts";
import type { JobDescription } from "./job-description.ts";

/** Not secret, though they may be passed as secrets. */
const SWITCHES = new Set(["ACTIONS_STEP_DEBUG", "ACTIONS_RUNNER_DEBUG"]);

/** Makes all secrets of a job known to its masker. */
export function maskSecrets(job: JobDescription, masker: Masker): void {
  for (const [name, value] of Object.entries(job.secrets)) {
    if (!SWITCHES.has(name.toUpperCase())) masker.add(value.trim());
  }
  const token = job.secrets.GITHUB_TOKEN;
  if (token) maskToken(token, masker);
}

/** A token, also in the form that git sends. */
export function maskToken(token: string, masker: Masker): void {
  masker.add(token.trim());
  masker.add(Buffer.from(`x-access-token:${token}`).toString("base64"));
}
