import { createHmac, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Payload } from "../../../src/intake/payloads.ts";
import type { Log } from "../../../src/log.ts";
import type { GitHubJobRecord } from "../../../src/store/records.ts";

export const SILENT: Log = { error() {}, warn() {}, info() {}, debug() {} };

/** A folder that goes away with the test. */
export function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "intake-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export function signatureOf(body: string | Buffer, secret: string): string {
  return `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
}

/** A request as GitHub posts it; `headers` replaces some, `undefined` leaves one out. */
export function githubRequest(
  event: string,
  payload: unknown,
  { secret = "s3cret", id = randomUUID() as string, headers = {} as Record<string, string> } = {},
): { readonly id: string; readonly headers: Record<string, string>; readonly body: string } {
  const body = typeof payload === "string" ? payload : JSON.stringify(payload);
  return {
    ...{ id, body },
    headers: {
      "content-type": "application/json",
      "x-github-delivery": id,
      "x-github-event": event,
      "x-hub-signature-256": signatureOf(body, secret),
      ...headers,
    },
  };
}

export const REPOSITORY = { id: 3003, full_name: "octo/hello" };
export const SENDER = { login: "octocat", type: "User" };

/** As GitHub sends it, as far as it is read. */
export function jobPayload(
  action: "queued" | "waiting" | "in_progress" | "completed",
  { id = 1, ...fields }: { id?: number; [field: string]: unknown } = {},
): Payload {
  return {
    action,
    workflow_job: {
      ...{ id, run_id: 10, run_attempt: 1, head_sha: "abc", name: `job ${id}`, labels: ["berth"] },
      ...{ status: action, conclusion: null, runner_name: null },
      ...{ created_at: "2026-06-18T06:59:58Z", completed_at: null },
      ...fields,
    },
    ...{ repository: REPOSITORY, installation: { id: 7 }, sender: SENDER },
  } as Payload;
}

/** The record of a job that `jobPayload("queued")` makes. */
export const QUEUED: GitHubJobRecord = {
  ...{ id: 1, repository: "octo/hello", repositoryId: 3003, installationId: 7 },
  ...{
    githubRunId: 10,
    attempt: 1,
    headSha: "abc",
    name: "job 1",
    labels: ["berth"],
    status: "queued",
  },
  createdAtMs: Date.parse("2026-06-18T06:59:58Z"),
};
