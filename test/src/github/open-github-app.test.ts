import { generateKeyPairSync } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "@jest/globals";
import type { Installation } from "../../../src/github/installation.ts";
import type { LocalHub } from "../../../src/localhub/local-hub.ts";
import { startLocalHub } from "../../../src/localhub/start-local-hub.ts";
import { withToken } from "../localhub/hub-fixture.ts";
import { keptLog, openApp, refusalOf } from "./opened-app.ts";

const REPO = "octo/hello";
const WORKFLOW =
  "on: [push, pull_request]\njobs:\n  build:\n    runs-on: berth\n    steps: [{ run: ls }]\n";

let hub: LocalHub;
let app: ReturnType<typeof openApp>;
let octo: Installation;
let told: ReturnType<typeof keptLog>["told"];

beforeAll(async () => {
  hub = await startLocalHub({
    organizations: [
      {
        login: "octo",
        repositories: [
          {
            name: "hello",
            files: { ".github/workflows/ci.yml": WORKFLOW },
            variables: { A: "repository", B: "2" },
          },
          { name: "other", files: { a: "" } },
        ],
        variables: { A: "organisation", C: "3" },
      },
      {
        login: "narrow",
        repositories: [{ name: "hello", files: { a: "" } }],
        permissions: { metadata: "read", contents: "read" },
      },
      { login: "foreign", installed: false, repositories: [{ name: "hello" }] },
    ],
    users: ["octocat", { login: "anna", keys: ["ssh-ed25519 AAAA", "ssh-rsa BBBB"] }],
    webhook: { url: "http://127.0.0.1:2/webhooks/github" },
  });
  const kept = keptLog();
  told = kept.told;
  app = openApp(hub, { log: kept.log });
  octo = app.installation(hub.installationIdOf("octo"));
});

afterEach(() => hub.setFaults({}));

afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await hub[Symbol.asyncDispose]();
});

it("reads a run, its jobs and what is open", async () => {
  const sha = await hub.commit(REPO, { branch: "main", message: "Go", files: { x: "1" } });
  await hub.settled();
  const [made] = hub.runs().filter((run) => run.headSha === sha);
  const id = made?.id ?? 0;

  const run = await octo.run(REPO, id, 1);
  const jobs = await octo.runJobs(REPO, id, 1);
  const open = await octo.openRuns(REPO);
  await octo.cancelRun(REPO, id);
  await octo.cancelRun(REPO, id); // it has ended: nothing to do
  await octo.cancelRun(REPO, id, { isForced: true });

  expect(run).toMatchObject({
    ...{ id, attempt: 1, event: "push", headSha: sha, headBranch: "main", title: "Go" },
    ...{ path: ".github/workflows/ci.yml", headRepository: REPO, pullRequests: [] },
    repository: {
      fullName: REPO,
      owner: { login: "octo" },
      defaultBranch: "main",
      isPrivate: true,
    },
  });
  expect(jobs).toMatchObject([
    { name: "build", labels: ["berth"], status: "queued", conclusion: null, runnerName: null },
  ]);
  expect(open.map((each) => each.id)).toContain(id);
  expect((await octo.openRuns(REPO)).map((each) => each.id)).not.toContain(id);
});

it("reads files and commits, and says when there are none", async () => {
  const sha = (await octo.refCommit(REPO, "heads/main")) ?? "";

  expect(await octo.file(REPO, ".github/workflows/ci.yml", sha)).toBe(WORKFLOW);
  expect(await octo.file(REPO, ".github", sha)).toBeUndefined();
  expect(await octo.file(REPO, "nope.yml", sha)).toBeUndefined();
  expect(await octo.refCommit(REPO, "tags/nope")).toBeUndefined();
  expect(await octo.commitParents(REPO, sha)).toHaveLength(1);
  expect(await octo.commitParents(REPO, "0".repeat(40))).toBeUndefined();
});

it("reads a user's SSH keys; who has none, or is not there, has none", async () => {
  expect(await octo.userKeys("anna")).toEqual(["ssh-ed25519 AAAA", "ssh-rsa BBBB"]);
  expect(await octo.userKeys("octocat")).toEqual([]);
  expect(await octo.userKeys("dependabot[bot]")).toEqual([]);
});

it("knows the merge commit of a pull request", async () => {
  const head = await hub.commit(REPO, { branch: "topic", message: "Change", files: { y: "1" } });
  const main = (await octo.refCommit(REPO, "heads/main")) ?? "";
  const number = await hub.createPullRequest(REPO, { title: "Topic", head: "topic", base: "main" });
  await hub.settled();

  const merge = await octo.mergeCommit(REPO, number);

  expect(merge?.parents).toEqual([main, head]);
  expect(await octo.mergeCommit(REPO, 4711)).toBeUndefined();
  expect(await octo.pullRequest(REPO, number)).toMatchObject({ number, head: { sha: head } });
  expect(await octo.pullRequest(REPO, 4711)).toBeUndefined();
});

describe("variables", () => {
  it("are the organisation's, and the repository's over them", async () => {
    expect(await octo.variables(REPO)).toEqual({ A: "repository", B: "2", C: "3" });
  });

  it("are none, and the log says so, without the permission", async () => {
    const narrow = app.installation(hub.installationIdOf("narrow"));

    expect(await narrow.variables("narrow/hello")).toEqual({});
    expect(told).toContainEqual({
      level: "warn",
      fields: { repository: "narrow/hello", kind: "variables" },
      message: "variables cannot be read: the App may lack actions_variables: read",
    });
  });
});

describe("a job's token", () => {
  const readOther = (token: string, repo: string) =>
    withToken(hub, token).request("GET /repos/{owner}/{repo}/commits", { owner: "octo", repo });

  it("is for its repository alone, does what the workflow says, and ends", async () => {
    const { token, expiresAtMs, missing, revoke } = await octo.jobToken(REPO, {
      contents: "read",
      packages: "write",
    });
    const write = withToken(hub, token).request("POST /repos/octo/hello/git/refs", {
      ref: "refs/heads/new",
      sha: "0",
    });

    expect(missing).toEqual(["packages: write"]);
    expect(expiresAtMs).toBeGreaterThan(Date.now());
    expect((await readOther(token, "hello")).status).toBe(200);
    await expect(readOther(token, "other")).rejects.toMatchObject({ status: 404 });
    await expect(write).rejects.toMatchObject({ status: 403 });
    await revoke();
    await expect(readOther(token, "hello")).rejects.toMatchObject({ status: 401 });
    await revoke(); // it is gone: nobody minds
  });

  it("reads contents where the workflow says nothing, and nothing where it says so", async () => {
    const { token } = await octo.jobToken(REPO, undefined);
    const none = await octo.jobToken(REPO, {});

    expect((await readOther(token, "hello")).status).toBe(200);
    await expect(readOther(none.token, "hello")).rejects.toMatchObject({ status: 403 });
  });

  it("is refused for a repository that the App is not installed on", async () => {
    expect(await refusalOf(octo.jobToken("octo/nope", undefined))).toMatch(
      /^GITHUB_REFUSED\nMaking a token for a job of octo\/nope: .* 422: There is at least one.*\nLook at the repositories/,
    );
  });
});

it("lists deliveries up to one, reads one and asks for it again", async () => {
  await hub.settled();
  const all = await app.deliveries(() => false);
  const [newest, second] = all;
  if (newest === undefined || second === undefined) throw new Error("nothing was delivered");

  const some = await app.deliveries(({ id }) => id === second.id);
  await app.redeliver(newest.id);
  await hub.settled();

  expect(some).toEqual([newest]);
  expect(newest).toMatchObject({ isOk: false, id: expect.stringMatching(/^\d+$/) });
  expect(await app.deliveryPayload(newest.id)).toMatchObject({ repository: { full_name: REPO } });
  expect((await app.deliveries(() => false)).length).toBe(all.length + 1);
});

it("knows the App, where it is installed, and what remains of an installation's requests", async () => {
  await octo.refCommit(REPO, "heads/main");
  const before = octo.rateLimit()?.remaining ?? 0;
  await octo.refCommit(REPO, "heads/main");

  expect(await app.self()).toMatchObject({ id: hub.app.id, slug: hub.app.slug });
  expect((await app.installations()).map(({ account }) => account)).toEqual(["octo", "narrow"]);
  expect(await app.repositories(octo.id)).toEqual(["octo/hello", "octo/other"]);
  expect(octo.rateLimit()).toMatchObject({ limit: 5000 });
  expect(octo.rateLimit()?.remaining).toBeLessThan(before);
});

describe("errors", () => {
  it("tell a wrong key, without the key", async () => {
    const { privateKey } = generateKeyPairSync("rsa", {
      modulusLength: 2048,
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs1", format: "pem" },
    });
    await using wrong = openApp(hub, { privateKey });

    const said = await refusalOf(wrong.installation(octo.id).run(REPO, 1, 1));

    expect(said).toContain("GITHUB_REFUSED\nReading attempt 1 of run 1 of octo/hello:");
    expect(said).toContain(`The private key is not one of App ${hub.app.id}.`);
    expect(said).not.toContain("PRIVATE KEY-----");
  });

  it("tell that the App is not installed there", async () => {
    expect(await refusalOf(app.installation(4711).run(REPO, 1, 1))).toMatch(
      /404: Not Found.*\nThere is no installation 4711 of this App\. Install the App/,
    );
    expect(await refusalOf(octo.run("foreign/hello", 1, 1))).toMatch(
      /^GITHUB_REFUSED\n.*404: Not Found.*\nIt is not there, or the App may not see it/,
    );
  });

  it("tell of a server that cannot, after some tries", async () => {
    let tries = 0;
    const when = () => {
      tries += 1;
      return true;
    };
    hub.setFaults({ api: { error: 1, when } });

    const asking = octo.refCommit(REPO, "heads/main");

    expect(await refusalOf(asking)).toMatch(/^GITHUB_UNREACHABLE\n.*answered 502/);
    expect(tries).toBe(4);
  });

  it("tell until when GitHub wants to be left alone", async () => {
    hub.setRateLimitRemaining("octo", 0);

    const said = await refusalOf(octo.variables(REPO));
    hub.setRateLimitRemaining("octo", 5000);

    expect(said).toMatch(
      /^GITHUB_UNREACHABLE\n.*limits how often it is asked and will answer again/,
    );
  });

  it("tell of a GitHub that is not there", async () => {
    await using gone = openApp(hub, { apiUrl: "http://127.0.0.1:2" });

    expect(await refusalOf(gone.self())).toMatch(
      /^GITHUB_UNREACHABLE\n.*http:\/\/127.0.0.1:2\/ cannot be reached: nothing listens there\./,
    );
  });
});
