import { expect, it } from "@jest/globals";
import { openGitHubApp } from "../../../src/github/open-github-app.ts";
import { startIntake } from "../../../src/intake/start-intake.ts";
import { startLocalHub } from "../../../src/localhub/start-local-hub.ts";
import { createHeartbeats } from "../../../src/server/heartbeats.ts";
import { openStore } from "../../../src/store/open-store.ts";
import { SILENT, temporaryFolder } from "./deliveries-fixture.ts";

it("hears of jobs without any address that GitHub could post to", async () => {
  using folder = temporaryFolder();
  await using store = await openStore(folder.path);
  await using hub = await startLocalHub({ webhook: { url: "http://127.0.0.1:9/none" } });
  const ci = 'on: push\njobs: { a: { runs-on: berth, steps: [{ run: "true" }] } }\n';
  const files = { ".github/workflows/ci.yml": ci };
  await hub.commit("octo/hello", { branch: "main", message: "Change", files });
  await hub.settled();
  await using app = openGitHubApp({
    ...{ apiUrl: hub.apiUrl, serverUrl: hub.url, appId: hub.app.id, env: {}, log: SILENT },
    privateKey: hub.app.privateKey,
  });
  const heartbeats = createHeartbeats();
  const heard = Promise.withResolvers<string>();

  await using _intake = startIntake({
    ...{ mode: "poll", app, appId: hub.app.id, store, secrets: () => [], log: SILENT },
    heartbeat: heartbeats.add,
    listener: async (event) => {
      if (event.type === "job") heard.resolve(event.job.name);
    },
  });

  expect(await heard.promise).toBe("a");
  expect(heartbeats.ages().map(({ loop }) => loop)).toEqual(["inbox", "jobs", "poll"]);
});
