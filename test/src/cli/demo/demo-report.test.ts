import { expect, it } from "@jest/globals";
import { demoReport, hasSucceeded } from "../../../../src/cli/demo/demo-report.ts";
import { createStyle } from "../../../../src/cli/view/style.ts";
import type { HubCheckRun, HubJob } from "../../../../src/localhub/local-hub.ts";

const PLAIN = createStyle(false);

it("says why a check is not green, and then the demo has failed", () => {
  const hub = hubWith([
    { name: "Berth / a", conclusion: "success", title: "Succeeded in 1 s" },
    { name: "Berth / b", conclusion: "failure", title: "Failed in step Test: exit code 1" },
  ]);

  expect(demoReport(hub, [], PLAIN)).toContain(
    "✓ Berth / a  success\n✗ Berth / b  failure    Failed in step Test: exit code 1\n",
  );
  expect(hasSucceeded(hub)).toBe(false);
});

it("counts a check that never came to its end, and none at all, as failures", () => {
  const waiting = {
    name: "Berth / a",
    status: "queued",
    conclusion: null,
    title: "Waits: no room",
  };

  expect(demoReport(hubWith([waiting]), [], PLAIN)).toContain(
    "- Berth / a  queued    Waits: no room\n",
  );
  expect(hasSucceeded(hubWith([waiting]))).toBe(false);
  expect(hasSucceeded(hubWith([]))).toBe(false);
  expect(hasSucceeded(hubWith([{ conclusion: "success" }]))).toBe(true);
});

it("tells GitHub's own jobs apart: what is Berth's, and what became of it", () => {
  const jobs = [
    { name: "ours", runId: 1, status: "completed", conclusion: "cancelled" },
    { name: "theirs", runId: 2, status: "queued", conclusion: null },
  ] as HubJob[];

  const report = demoReport({ ...hubWith([]), jobs: () => jobs }, [aJob("ours", "1-1")], PLAIN);

  expect(report).toContain(
    [
      "■ ours    cancelled  by Berth, when its own had ended",
      "- theirs  queued     not Berth's; the demo plays its runner",
    ].join("\n"),
  );
});

function hubWith(checks: readonly Partial<HubCheckRun>[]) {
  const checkRuns = checks.map((check) => ({
    ...{ owner: "app", name: "Berth / a", status: "completed", conclusion: null },
    ...{ externalId: "x", title: null, text: null, annotations: [], ...check },
  })) as unknown as HubCheckRun[];
  return { checkRuns: () => checkRuns, jobs: () => [], deliveries: () => [] };
}

function aJob(name: string, runId: string) {
  const facts = { id: `${runId}.${name}`, name, runId, repository: "o/r", labels: [] };
  const state = { headSha: "0", state: "completed", isReported: true } as const;
  return { ...facts, ...state, retries: 0, createdAtMs: 0 };
}
