import { expect, it } from "@jest/globals";
import { startCheckReporter } from "../../../../src/fleet/report/check-reporter.ts";
import { openGitHubApp } from "../../../../src/github/open-github-app.ts";
import { startLocalHub } from "../../../../src/localhub/start-local-hub.ts";
import type { Log } from "../../../../src/log.ts";
import { jobRecord, told } from "./told-job.ts";

const ignore = () => {};
const log: Log = { error: ignore, warn: ignore, info: ignore, debug: ignore };

it("is what GitHub takes, through two lives and failures of its API", async () => {
  await using hub = await startLocalHub();
  const headSha = await hub.commit("octo/hello", {
    ...{ branch: "main", message: "Change", files: { "a.txt": "1" } },
  });
  await using app = openGitHubApp({
    ...{ apiUrl: hub.apiUrl, serverUrl: hub.url, appId: hub.app.id, env: {}, log },
    ...{ privateKey: hub.app.privateKey, writeGapMs: 0, secondMs: 1 },
  });
  const stop = new AbortController();
  let checkRunId: number | undefined;
  const start = () =>
    startCheckReporter({
      installation: app.installation(hub.installationIdOf("octo")),
      job: jobRecord({ headSha, ...(checkRunId !== undefined && { checkRunId }) }),
      workflowFile: ".github/workflows/ci.yml",
      onCreated: async (id) => {
        checkRunId = id;
      },
      ...{ runningJobs: () => 1, log, signal: stop.signal },
    });
  hub.setFaults({ seed: 3, api: { error: 0.1, errorAfter: 0.1 } });
  const before = [
    told.started(),
    told.step(1, "Lint <b>"),
    ...Array.from({ length: 60 }, (_, at) =>
      told.annotation(1, { level: "error", message: `e${at}`, file: "a.txt", startLine: 1 }),
    ),
  ];

  const first = start();
  for (const event of before) first.hear(event);
  await first.flush();
  await first[Symbol.asyncDispose]();
  await using second = start();
  await second.recall(before);
  second.hear(told.summary(1, "# Sum"));
  second.hear(told.stepEnded(1, "Lint <b>", "failure"));
  second.hear(told.annotation(1, { level: "warning", message: "w", startColumn: 3 }));
  const outcome = await second.finished({ conclusion: "failure", usage: { cpuSeconds: 2 } });

  const ours = hub.checkRuns().filter(({ owner }) => owner === "app");
  expect(outcome).toBe("sent");
  expect(ours).toMatchObject([
    {
      ...{ name: "Berth / Build", externalId: "5-1.build", status: "completed" },
      ...{ conclusion: "failure", title: "Failed in step Lint <b>: e59", actions: [] },
      ...{ summary: expect.stringContaining("| ✗ | 1 | Lint \\<b\\> |"), id: checkRunId },
      text: expect.stringContaining("# Sum"),
    },
  ]);
  expect(ours[0]?.annotations.map(({ message }) => message)).toEqual([
    ...Array.from({ length: 60 }, (_, at) => `e${at}`),
    "w",
  ]);
});
