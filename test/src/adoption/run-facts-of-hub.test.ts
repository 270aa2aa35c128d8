import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { readRunFacts } from "../../../src/adoption/read-run-facts.ts";
import { findTrigger } from "../../../src/intake/find-trigger.ts";
import type { LocalHub } from "../../../src/localhub/local-hub.ts";
import { startLocalHub } from "../../../src/localhub/start-local-hub.ts";
import type { TriggerRecord } from "../../../src/store/records.ts";
import { openApp } from "../github/opened-app.ts";

const REPO = "octo/hello";
const WORKFLOW = `on: [push, pull_request, pull_request_target, workflow_dispatch]
jobs: { build: { runs-on: berth, steps: [{ run: ls }] } }
`;

let hub: LocalHub;
let app: ReturnType<typeof openApp>;

beforeAll(async () => {
  const files = { ".github/workflows/ci.yml": WORKFLOW, a: "1" };
  hub = await startLocalHub({
    organizations: [
      { login: "octo", repositories: [{ name: "hello", files, variables: { V: "1" } }] },
    ],
    webhook: { url: "http://127.0.0.1:2/webhooks/github" },
  });
  app = openApp(hub);
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await hub[Symbol.asyncDispose]();
});

/** The facts of the newest run of an event, read through the App; all events have arrived. */
async function factsOf(event: string) {
  await hub.settled();
  const run = hub.runs().findLast((one) => one.event === event);
  if (run === undefined) throw new Error(`no run of ${event}`);
  const installation = app.installation(hub.installationIdOf("octo"));
  const { repository } = await installation.run(REPO, run.id, 1);
  const read = await readRunFacts({
    run: { repository: REPO, repositoryId: repository.id, githubRunId: run.id, attempt: 1 },
    installation,
    triggers: { find: async (wanted) => triggersOf(repository.id, wanted.event) },
    findTrigger,
    serverUrl: app.serverUrl,
    apiUrl: app.apiUrl,
  });
  if (read.kind === "left") throw new Error(read.reason);
  return read.facts;
}

function triggersOf(repositoryId: number, event: string): TriggerRecord[] {
  return hub
    .deliveries()
    .filter((delivery) => delivery.event === event)
    .map(({ guid, body, deliveredAt }) => ({
      ...{ deliveryId: guid, event, repositoryId, receivedAtMs: Date.parse(deliveredAt) },
      payload: JSON.parse(body),
    }));
}

it("reads a push, a pull request and a dispatch at the commit that was used", async () => {
  const main = await hub.commit(REPO, { branch: "main", message: "Go", files: { x: "1" } });
  expect(await factsOf("push")).toMatchObject({
    ...{ sha: main, ref: "refs/heads/main", workflowText: WORKFLOW, vars: { V: "1" } },
    github: { event: { after: main }, run_attempt: "1", server_url: hub.url },
  });

  const head = await hub.commit(REPO, { branch: "topic", message: "Try", files: { y: "2" } });
  await hub.createPullRequest(REPO, { title: "Try", head: "topic", base: "main" });
  const pull = await factsOf("pull_request");
  expect(pull).toMatchObject({
    ...{ ref: "refs/pull/1/merge", baseRef: "main", headRef: "topic", isFork: false },
    ...{ authorAssociation: "MEMBER", workflowText: WORKFLOW },
  });
  expect([main, head]).not.toContain(pull.sha);
  expect(await factsOf("pull_request_target")).toMatchObject({ sha: main, ref: "refs/heads/main" });

  await hub.dispatch(REPO, { workflow: "ci.yml", ref: "topic" });
  expect(await factsOf("workflow_dispatch")).toMatchObject({
    ...{ sha: head, ref: "refs/heads/topic", inputs: {} },
  });
});
