import { describe, expect, it } from "@jest/globals";
import { BerthError } from "../../../runner/errors.ts";
import { type ReceiveDeps, receiveDelivery } from "../../../src/intake/receive-delivery.ts";
import { startServer } from "../../../src/server/start-server.ts";
import { webhookRoute } from "../../../src/server/webhook-route.ts";
import { openStore } from "../../../src/store/open-store.ts";
import { githubRequest, jobPayload, SILENT, temporaryFolder } from "./deliveries-fixture.ts";

const MB = 1024 * 1024;

type Post = (request: {
  readonly headers: Record<string, string>;
  readonly body: string | Buffer;
}) => Promise<[number, string]>;

/** A real server over a real store. */
async function serve(deps: Partial<ReceiveDeps> = {}) {
  const folder = temporaryFolder();
  const store = await openStore(folder.path);
  const arrivals: number[] = [];
  const receiving: ReceiveDeps = {
    ...{ secrets: () => ["s3cret"], deliveries: store.deliveries, log: SILENT },
    ...{ arrived: () => void arrivals.push(1), now: () => 5000 },
    ...deps,
  };
  const server = await startServer({
    ...{ listen: { host: "127.0.0.1", port: 0 }, log: SILENT },
    routes: [webhookRoute((request) => receiveDelivery(request, receiving))],
  });
  const post: Post = async ({ headers, body }) => {
    const response = await fetch(`${server.url}/webhooks/github`, {
      ...{ method: "POST", headers, body },
    });
    const { message } = (await response.json()) as { message: string };
    return [response.status, message];
  };
  return {
    ...{ store, post, arrivals },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

describe("a delivery", () => {
  it("is kept whole before it is answered, and known when it comes again", async () => {
    await using hook = await serve();
    const payload = { ...jobPayload("queued"), more: { of: ["GitHub's", "fields", "ü"] } };
    const request = githubRequest("workflow_job", payload);

    const answers = [await hook.post(request), await hook.post(request)];

    expect(answers).toEqual([
      [202, "Kept."],
      [202, "Known already."],
    ]);
    expect(hook.arrivals).toHaveLength(1);
    expect(await hook.store.deliveries.unhandled(10)).toEqual([
      { id: request.id, event: "workflow_job", action: "queued", payload, receivedAtMs: 5000 },
    ]);
  });

  it("may be signed with either of two secrets while one replaces the other", async () => {
    await using hook = await serve({ secrets: () => ["new", "old"] });
    const signedWith = (secret: string) =>
      hook.post(githubRequest("workflow_job", jobPayload("queued"), { secret }));

    expect((await signedWith("old"))[0]).toBe(202);
    expect((await signedWith("new"))[0]).toBe(202);
    expect((await signedWith("older"))[0]).toBe(401);
  });

  it("is refused with 401 when its signature is wrong or missing, whatever it holds", async () => {
    await using hook = await serve();
    const good = githubRequest("workflow_job", jobPayload("queued"));
    const { "x-hub-signature-256": _, ...unsigned } = good.headers;
    const tampered = good.body.replace("octo/hello", "evil/hello");

    expect(await hook.post({ headers: unsigned, body: good.body })).toEqual([
      401,
      expect.stringContaining("X-Hub-Signature-256 is missing"),
    ]);
    expect(await hook.post({ headers: good.headers, body: tampered })).toEqual([
      401,
      expect.stringContaining("the webhook secret in the App is not the one in berth.yml"),
    ]);
    expect((await hook.post({ headers: good.headers, body: "no JSON" }))[0]).toBe(401);
    for (const signature of ["sha256=", "sha256=00", "x", `sha1=${"0".repeat(40)}`]) {
      const headers = { ...good.headers, "x-hub-signature-256": signature };
      expect((await hook.post({ headers, body: good.body }))[0]).toBe(401);
    }
    expect(await hook.store.deliveries.unhandled(10)).toEqual([]);
  });

  it.each([
    ["that is not JSON", githubRequest("push", "{"), "The body is not a JSON object."],
    ["that is no object", githubRequest("push", "[1]"), "The body is not a JSON object."],
    ["that is empty", githubRequest("push", ""), "The body is not a JSON object."],
    [
      "that is form-encoded",
      githubRequest("push", "payload=%7B%7D", {
        headers: { "content-type": "application/x-www-form-urlencoded" },
      }),
      'The payload is form-encoded: set "Content type" to application/json in the webhook settings of the App.',
    ],
    [
      "that names no event",
      githubRequest("push", {}, { headers: { "x-github-event": "" } }),
      "The header X-GitHub-Event is missing.",
    ],
    [
      "that has no id",
      githubRequest("push", {}, { id: "" }),
      "The header X-GitHub-Delivery is missing.",
    ],
    [
      "that lacks what its event must have",
      githubRequest("workflow_job", { ...jobPayload("queued"), workflow_job: { id: "s3cret" } }),
      expect.stringMatching(/^The payload of workflow_job is not complete: workflow_job.id: /),
    ],
    [
      "of a push without a repository",
      githubRequest("push", { ref: "refs/heads/main" }),
      expect.stringContaining("repository"),
    ],
  ])("%s is refused with 400, in words", async (_, request, message) => {
    await using hook = await serve();

    expect(await hook.post(request)).toEqual([400, message]);
    expect(await hook.store.deliveries.unhandled(10)).toEqual([]);
  });

  it("of 25 MB is taken, and one byte more is refused with 413", async () => {
    await using hook = await serve();
    const frame = JSON.stringify({ ...jobPayload("queued"), fill: "" });
    const sized = (bytes: number) =>
      frame.replace('"fill":""', `"fill":"${"x".repeat(bytes - frame.length)}"`);
    const most = githubRequest("workflow_job", sized(25 * MB));

    expect(await hook.post(most)).toEqual([202, "Kept."]);
    expect(await hook.post(githubRequest("workflow_job", sized(25 * MB + 1)))).toEqual([
      413,
      "The body is larger than 25 MB.",
    ]);
  });

  it("of an event that nothing is made of leaves its id only", async () => {
    await using hook = await serve();
    const ping = githubRequest("ping", { zen: "Keep it simple.", hook_id: 1 });
    const created = githubRequest("check_run", {
      ...{ action: "created", check_run: { id: 1, head_sha: "a" } },
      ...{ repository: { id: 1, full_name: "o/r" }, sender: { login: "x" } },
    });

    expect(await hook.post(ping)).toEqual([202, "Kept."]);
    expect(await hook.post(created)).toEqual([202, "Kept."]);
    expect((await hook.store.deliveries.unhandled(10)).map(({ payload }) => payload)).toEqual([
      {},
      {},
    ]);
  });

  it("is answered 503 when it cannot be kept, so that GitHub lists it as failed", async () => {
    await using hook = await serve({
      deliveries: {
        add: () =>
          Promise.reject(new BerthError("STORE_UNUSABLE", { message: "The disk is full." })),
      },
    });

    expect(await hook.post(githubRequest("workflow_job", jobPayload("queued")))).toEqual([
      503,
      "Berth cannot keep it now, and will ask for it again.",
    ]);
    expect(hook.arrivals).toEqual([]);
  });
});
