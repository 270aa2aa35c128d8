import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type {
  DeliveryRecord,
  GitHubJobRecord,
  JobRecord,
  LeaseRecord,
  RunRecord,
} from "../../../src/store/records.ts";

/** A folder that goes away when it is disposed of. */
export function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "berth-store-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export function aDelivery(id: string, given: Partial<DeliveryRecord> = {}): DeliveryRecord {
  return { id, event: "push", payload: { ref: "refs/heads/main" }, receivedAtMs: 1000, ...given };
}

export function aRun(id: string, given: Partial<RunRecord> = {}): RunRecord {
  return {
    id,
    repository: "acme/app",
    repositoryId: 1,
    installationId: 1,
    githubRunId: 7,
    attempt: 1,
    headSha: "a".repeat(40),
    state: "adopted",
    createdAtMs: 1000,
    ...given,
  };
}

export function aJob(id: string, given: Partial<JobRecord> = {}): JobRecord {
  return {
    id,
    runId: "7-1",
    repository: "acme/app",
    installationId: 1,
    name: "test",
    labels: ["berth"],
    headSha: "a".repeat(40),
    state: "queued",
    retries: 0,
    isReported: false,
    createdAtMs: 1000,
    ...given,
  };
}

export function aLease(jobId: string, given: Partial<LeaseRecord> = {}): LeaseRecord {
  return {
    jobId,
    repository: "acme/app",
    host: "one",
    cpus: 2,
    memoryBytes: 1024,
    gpus: [],
    leasedAtMs: 1000,
    ...given,
  };
}

export function aGitHubJob(id: number, given: Partial<GitHubJobRecord> = {}): GitHubJobRecord {
  return {
    id,
    repository: "acme/app",
    repositoryId: 1,
    installationId: 1,
    githubRunId: 7,
    attempt: 1,
    headSha: "a".repeat(40),
    name: "test",
    labels: ["berth"],
    status: "queued",
    createdAtMs: 1000,
    ...given,
  };
}
