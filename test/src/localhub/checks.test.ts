import { describe, expect, it } from "@jest/globals";
import type { LocalHub } from "../../../src/localhub/local-hub.ts";
import { startLocalHub } from "../../../src/localhub/start-local-hub.ts";
import { asInstallation, receiveWebhooks, refusalOf, withToken } from "./hub-fixture.ts";

const repo = { owner: "octo", repo: "hello" };

async function hubWithCommit(): Promise<{ hub: LocalHub; sha: string }> {
  const repositories = [{ name: "hello", files: { a: "" } }];
  const hub = await startLocalHub({ organizations: [{ login: "octo", repositories }] });
  const sha = await hub.commit("octo/hello", { branch: "main", message: "1", files: { b: "" } });
  return { hub, sha };
}

function annotations(count: number) {
  return Array.from({ length: count }, (_, at) => ({
    ...{ path: "a", start_line: at + 1, end_line: at + 1 },
    ...{ annotation_level: "warning" as const, message: `m${at}` },
  }));
}

describe("check runs", () => {
  it("are created, changed and listed, annotations adding up", async () => {
    const { hub, sha } = await hubWithCommit();
    await using _ = hub;
    const { checks } = asInstallation(hub, "octo").rest;

    const { data: made } = await checks.create({ ...repo, name: "Berth / a", head_sha: sha });
    const change = { ...repo, check_run_id: made.id };
    const output = { title: "t", summary: "s" };
    await checks.update({
      ...change,
      status: "in_progress",
      output: { ...output, annotations: annotations(50) },
    });
    await checks.update({ ...change, output: { ...output, annotations: annotations(3) } });
    const { data: done } = await checks.update({
      ...change,
      conclusion: "failure",
      external_id: "e",
    });
    const { data: listed } = await checks.listForRef({ ...repo, ref: "main" });
    const { data: page } = await checks.listAnnotations({ ...change, per_page: 100 });

    expect(made).toMatchObject({ status: "queued", conclusion: null, app: { id: hub.app.id } });
    expect(done).toMatchObject({ status: "completed", conclusion: "failure", external_id: "e" });
    expect(done.completed_at).not.toBeNull();
    expect(listed).toMatchObject({ total_count: 1, check_runs: [{ name: "Berth / a" }] });
    expect(page.length).toBe(53);
  });

  it.each([
    ["a missing name", { head_sha: "HEAD" }, /"name" wasn't supplied/],
    ["a missing commit", { name: "n" }, /"head_sha" wasn't supplied/],
    ["a commit that is not there", { name: "n", head_sha: "1".repeat(40) }, /No commit found/],
    [
      "a conclusion that is none",
      { name: "n", head_sha: "HEAD", conclusion: "bad" },
      /"bad" is not a member/,
    ],
    [
      "completed without a conclusion",
      { name: "n", head_sha: "HEAD", status: "completed" },
      /"conclusion" wasn't/,
    ],
    [
      "more than 50 annotations",
      {
        name: "n",
        head_sha: "HEAD",
        output: { title: "t", summary: "", annotations: annotations(51) },
      },
      /no more than 50 items are allowed; 51 were supplied/,
    ],
    [
      "a summary that is too long",
      { name: "n", head_sha: "HEAD", output: { title: "t", summary: "x".repeat(65_536) } },
      /65535 characters/,
    ],
    [
      "an output without a title",
      { name: "n", head_sha: "HEAD", output: { summary: "" } },
      /title" wasn't/,
    ],
  ])("are refused with 422 for %s", async (_what, body, message) => {
    const { hub, sha } = await hubWithCommit();
    await using _ = hub;
    const request = {
      ...repo,
      ...body,
      ...("head_sha" in body && body.head_sha === "HEAD" && { head_sha: sha }),
    };

    const refused = await refusalOf(
      asInstallation(hub, "octo").request(
        "POST /repos/{owner}/{repo}/check-runs",
        request as never,
      ),
    );

    expect(refused).toEqual([422, expect.stringMatching(message)]);
  });

  it("are an App's business: no person may make one, and no App may change those of jobs", async () => {
    const { hub, sha } = await hubWithCommit();
    await using _ = hub;
    const text = "on: push\njobs: { a: { runs-on: x, steps: [{ run: a }] } }";
    await hub.commit("octo/hello", {
      branch: "main",
      message: "2",
      files: { ".github/workflows/a.yml": text },
    });
    await hub.settled();
    const [job] = hub.checkRuns();
    const person = withToken(hub, hub.tokenOf("octocat"));

    const made = await refusalOf(person.rest.checks.create({ ...repo, name: "n", head_sha: sha }));
    const changed = await refusalOf(
      asInstallation(hub, "octo").rest.checks.update({
        ...repo,
        check_run_id: job?.id ?? 0,
        name: "n",
      }),
    );

    expect(job).toMatchObject({ name: "a", owner: "actions", status: "queued" });
    expect(made[0]).toBe(403);
    expect(changed).toEqual([403, expect.stringContaining("Invalid app_id")]);
  });

  it("tell the App when its buttons are pressed", async () => {
    await using hook = await receiveWebhooks();
    const { hub, sha } = await hubWithCommit();
    await using _ = hub;
    const button = { label: "Cancel", description: "Stops the job", identifier: "cancel" };
    const { data } = await asInstallation(hub, "octo").rest.checks.create({
      ...{ ...repo, name: "n", head_sha: sha, actions: [button] },
    });
    hub.setWebhook(hook.url);

    hub.rerequestCheckRun(data.id);
    hub.pressCheckRunAction(data.id, "cancel");
    await hub.settled();

    const bodies = hook.received.map(({ body }) => JSON.parse(body));
    expect(bodies).toMatchObject([
      { action: "rerequested", check_run: { id: data.id }, sender: { login: "octocat" } },
      { action: "requested_action", requested_action: { identifier: "cancel" } },
    ]);
  });
});

it("makes a suite for the App at each push and tells of it", async () => {
  await using hook = await receiveWebhooks();
  const { hub } = await hubWithCommit();
  await using _ = hub;
  hub.setWebhook(hook.url);

  const sha = await hub.commit("octo/hello", { branch: "main", message: "2", files: { c: "" } });
  await hub.settled();
  const { data } = await asInstallation(hub, "octo").rest.checks.listSuitesForRef({
    ...repo,
    ref: sha,
  });

  expect(hook.received.map(({ name }) => name)).toEqual(["push", "check_suite.requested"]);
  expect(data.check_suites).toMatchObject([{ head_sha: sha, app: { id: hub.app.id } }]);
});
