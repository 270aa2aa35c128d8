import { generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { createAppAuth } from "@octokit/auth-app";
import { startLocalHub } from "../../../src/localhub/start-local-hub.ts";
import { asApp, asInstallation, narrowToken, refusalOf, withToken } from "./hub-fixture.ts";

describe("signing in as an App", () => {
  it("lets the App see itself and its installations on several organisations", async () => {
    await using hub = await startLocalHub({
      organizations: [{ login: "octo" }, { login: "acme" }, { login: "other", installed: false }],
    });
    const app = asApp(hub);

    const { data: self } = await app.rest.apps.getAuthenticated();
    const { data: installations } = await app.rest.apps.listInstallations();

    expect(self).toMatchObject({ id: hub.app.id, slug: "berth-local" });
    expect(installations.map(({ account }) => account)).toMatchObject([
      { login: "octo", type: "Organization" },
      { login: "acme" },
    ]);
  });

  it("counts ids up from where it is told to, so that two hubs share none", async () => {
    await using hub = await startLocalHub({ firstId: 5001 });

    expect(hub.app.id).toBe(5001);
  });

  it("refuses a JWT of another key, for another App, and one that has expired", async () => {
    let now = Date.now();
    await using hub = await startLocalHub({ now: () => new Date(now) });
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const foreignKey = privateKey.export({ type: "pkcs1", format: "pem" }).toString();
    const as = (id: number, key: string) =>
      asApp({ ...hub, app: { ...hub.app, id, privateKey: key } });

    const foreign = await refusalOf(as(hub.app.id, foreignKey).rest.apps.getAuthenticated());
    const unknown = await refusalOf(as(4, hub.app.privateKey).rest.apps.getAuthenticated());
    now += 30 * 60_000;
    const response = await fetch(`${hub.apiUrl}/app`, {
      headers: { authorization: `Bearer ${await jwtOf(hub.app.id, hub.app.privateKey)}` },
    });

    expect(foreign).toEqual([401, expect.stringContaining("could not be decoded")]);
    expect(unknown).toEqual([404, expect.stringContaining("Integration not found")]);
    expect([response.status, await response.text()]).toEqual([
      401,
      expect.stringContaining("'exp'"),
    ]);
  });

  it("takes an installation token for what it was made for, and nothing else", async () => {
    await using hub = await startLocalHub({
      organizations: [
        { login: "octo", repositories: [{ name: "one" }, { name: "two" }] },
        { login: "acme", repositories: [{ name: "three" }] },
      ],
    });
    const token = await narrowToken(hub, "octo", {
      repositoryNames: ["one"],
      permissions: { contents: "read" },
    });
    const narrow = withToken(hub, token);
    const check = { name: "c", head_sha: "0".repeat(40) };

    const { data: listed } = await narrow.rest.apps.listReposAccessibleToInstallation();
    const { data: one } = await narrow.rest.repos.get({ owner: "octo", repo: "one" });
    const two = await refusalOf(narrow.rest.repos.get({ owner: "octo", repo: "two" }));
    const three = await refusalOf(narrow.rest.repos.get({ owner: "acme", repo: "three" }));
    const write = await refusalOf(
      narrow.rest.checks.create({ owner: "octo", repo: "one", ...check }),
    );
    const app = await refusalOf(narrow.rest.apps.listWebhookDeliveries());

    expect(listed).toMatchObject({ total_count: 1, repositories: [{ full_name: "octo/one" }] });
    expect(one.private).toBe(true);
    expect(two[0]).toBe(404);
    expect(three[0]).toBe(404);
    expect(write).toEqual([403, expect.stringContaining("Resource not accessible by integration")]);
    expect(app[0]).toBe(401);
  });

  it("ends a token after an hour, and when it is revoked", async () => {
    let now = Date.now();
    await using hub = await startLocalHub({ now: () => new Date(now) });
    const app = asApp(hub);
    const fresh = async () =>
      (
        await app.rest.apps.createInstallationAccessToken({
          installation_id: hub.installationIdOf("octo"),
        })
      ).data;
    const old = await fresh();
    const revoked = await fresh();
    const get = (token: string) =>
      withToken(hub, token).rest.repos.get({ owner: "octo", repo: "hello" });

    await get(old.token);
    await withToken(hub, revoked.token).rest.apps.revokeInstallationAccessToken();
    const afterRevoking = await refusalOf(get(revoked.token));
    now += 61 * 60_000;
    const afterAnHour = await refusalOf(get(old.token));

    expect(Date.parse(old.expires_at) - (now - 61 * 60_000)).toBeLessThanOrEqual(60 * 60_000);
    expect(afterRevoking).toEqual([401, expect.stringContaining("Bad credentials")]);
    expect(afterAnHour).toEqual([401, expect.stringContaining("Bad credentials")]);
  });

  it("refuses a token for a repository or permission that the installation lacks", async () => {
    await using hub = await startLocalHub({
      organizations: [
        { login: "octo", repositories: [{ name: "a" }], permissions: { contents: "read" } },
      ],
    });
    const app = asApp(hub);
    const installation_id = hub.installationIdOf("octo");
    const ask = (body: object) =>
      refusalOf(app.rest.apps.createInstallationAccessToken({ installation_id, ...body }));

    expect((await ask({ repositories: ["b"] }))[0]).toBe(422);
    expect((await ask({ permissions: { contents: "write" } }))[0]).toBe(422);
  });
});

describe("limits", () => {
  it("counts requests and refuses them when none remains", async () => {
    await using hub = await startLocalHub({ rateLimit: 3 });
    const octokit = asInstallation(hub, "octo");
    const get = () => octokit.rest.repos.get({ owner: "octo", repo: "hello" });

    const { headers } = await get();
    hub.setRateLimitRemaining("octo", 0);
    const refused = await refusalOf(get());
    const { data } = await octokit.rest.rateLimit.get();

    expect(headers).toMatchObject({ "x-ratelimit-limit": "3", "x-ratelimit-remaining": "2" });
    expect(refused).toEqual([403, expect.stringContaining("API rate limit exceeded")]);
    expect(data.rate).toMatchObject({ limit: 3, remaining: 0 });
  });

  it("answers 304 to what has not changed, for free", async () => {
    await using hub = await startLocalHub();
    const octokit = asInstallation(hub, "octo");
    const repo = { owner: "octo", repo: "hello" };
    const first = await octokit.rest.repos.get(repo);

    const again = await refusalOf(
      octokit.rest.repos.get({ ...repo, headers: { "if-none-match": first.headers.etag ?? "" } }),
    );
    const { headers } = await octokit.rest.repos.get(repo);

    expect(again[0]).toBe(304);
    expect(headers["x-ratelimit-used"]).toBe("2");
  });

  it("pages through a list as Octokit follows it", async () => {
    const repositories = Array.from({ length: 5 }, (_, at) => ({ name: `r${at}` }));
    await using hub = await startLocalHub({ organizations: [{ login: "octo", repositories }] });
    const octokit = asInstallation(hub, "octo");

    const all = await octokit.paginate(octokit.rest.apps.listReposAccessibleToInstallation, {
      per_page: 2,
    });

    expect(all.map(({ name }) => name)).toEqual(["r0", "r1", "r2", "r3", "r4"]);
  });

  it("fails requests on demand: before they are carried out, after, and with Retry-After", async () => {
    await using hub = await startLocalHub({
      organizations: [{ login: "octo", repositories: [{ name: "hello", files: { a: "" } }] }],
    });
    const octokit = asInstallation(hub, "octo");
    const repo = { owner: "octo", repo: "hello" };
    const { data } = await octokit.rest.repos.getCommit({ ...repo, ref: "main" });
    const create = (name: string) =>
      octokit.rest.checks.create({ ...repo, name, head_sha: data.sha });

    hub.setFaults({ api: { error: 1 } });
    const before = await refusalOf(create("before"));
    hub.setFaults({ api: { errorAfter: 1, when: (method) => method === "POST" } });
    const after = await refusalOf(create("after"));
    hub.setFaults({ api: { tooMany: 1, retryAfterSeconds: 7 } });
    const limited = await octokit.rest.repos.get(repo).catch((error: unknown) => error);
    hub.setFaults({});

    expect([before[0], after[0]]).toEqual([502, 502]);
    expect(hub.checkRuns().map(({ name }) => name)).toEqual(["after"]);
    expect(limited).toMatchObject({ status: 429, response: { headers: { "retry-after": "7" } } });
  });
});

async function jwtOf(appId: number, privateKey: string): Promise<string> {
  const auth = createAppAuth({ appId, privateKey });
  return (await auth({ type: "app" })).token;
}
