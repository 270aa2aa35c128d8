import { describe, expect, it } from "@jest/globals";
import { Webhooks } from "@octokit/webhooks";
import type { LocalHub } from "../../../src/localhub/local-hub.ts";
import { startLocalHub } from "../../../src/localhub/start-local-hub.ts";
import { asApp, receiveWebhooks } from "./hub-fixture.ts";

async function send(hub: LocalHub, ...actions: string[]): Promise<void> {
  for (const action of actions) {
    await hub.sendEvent("octo/hello", { event: "release", action });
  }
  await hub.settled();
}

describe("deliveries", () => {
  it("are signed as @octokit/webhooks verifies, and carry GitHub's headers", async () => {
    await using hook = await receiveWebhooks();
    await using hub = await startLocalHub({ webhook: { url: hook.url, secret: "s3cret" } });

    await send(hub, "published");

    const [one] = hook.received;
    const signature = String(one?.headers["x-hub-signature-256"]);
    const body = one?.body ?? "";
    expect(await new Webhooks({ secret: "s3cret" }).verify(body, signature)).toBe(true);
    expect(await new Webhooks({ secret: "s3cret" }).verify(`${body} `, signature)).toBe(false);
    expect(await new Webhooks({ secret: "other" }).verify(body, signature)).toBe(false);
    expect(one?.headers).toMatchObject({
      "x-github-event": "release",
      "x-github-delivery": expect.stringMatching(/^[0-9a-f-]{36}$/),
      "content-type": "application/json",
    });
  });

  it("are logged with what was asked and answered, walked by cursor, and sent again on request", async () => {
    let isDown = true;
    await using hook = await receiveWebhooks(() => (isDown ? 503 : 202));
    await using hub = await startLocalHub({ webhook: { url: hook.url } });
    const app = asApp(hub);
    await send(hub, "created", "edited", "published");

    const all = await app.paginate(app.rest.apps.listWebhookDeliveries, { per_page: 2 });
    const first = all.at(-1);
    const delivery_id = first?.id ?? 0;
    const { data: whole } = await app.rest.apps.getWebhookDelivery({ delivery_id });
    isDown = false;
    const { status } = await app.rest.apps.redeliverWebhookDelivery({ delivery_id });
    await hub.settled();
    const { data: good } = await app.request("GET /app/hook/deliveries?status=success");

    expect(all.map(({ action, status_code }) => [action, status_code])).toEqual([
      ["published", 503],
      ["edited", 503],
      ["created", 503],
    ]);
    expect(whole).toMatchObject({
      request: { headers: { "X-GitHub-Event": "release" }, payload: { action: "created" } },
      response: { payload: "ok" },
    });
    expect(status).toBe(202);
    expect(good).toMatchObject([{ guid: first?.guid, redelivery: true, status: "OK" }]);
    expect(hook.received.at(-1)?.body).toBe(hook.received[0]?.body);
  });

  it("of a receiver that is silent or gone are logged as failed", async () => {
    await using hub = await startLocalHub({ webhook: { url: "http://127.0.0.1:9/none" } });

    await send(hub, "published");

    expect(hub.deliveries()).toMatchObject([
      { statusCode: 502, status: "failed to connect to host" },
    ]);
  });

  it("go only to an App that has subscribed and is installed there", async () => {
    await using hook = await receiveWebhooks();
    await using hub = await startLocalHub({
      organizations: [
        {
          login: "octo",
          repositories: [{ name: "hello" }, { name: "other" }],
          installed: ["hello"],
        },
      ],
      app: { events: ["release"] },
      webhook: { url: hook.url },
    });

    await send(hub, "published");
    await hub.sendEvent("octo/other", { event: "release", action: "published" });
    await hub.sendEvent("octo/hello", { event: "issue_comment", action: "created" });
    hub.uninstall("octo");
    await hub.settled();

    expect(hook.received.map(({ name }) => name)).toEqual([
      "release.published",
      "installation.deleted",
    ]);
  });
});

describe("faults", () => {
  const actions = Array.from({ length: 40 }, (_, at) => `a${at}`);

  it("drop, lose, double and reorder deliveries, the same way for the same seed", async () => {
    const round = async (seed: number) => {
      await using hook = await receiveWebhooks();
      const webhooks = { drop: 0.1, lose: 0.1, double: 0.1, reorder: 0.1, delayMs: 5000 };
      await using hub = await startLocalHub({
        webhook: { url: hook.url },
        faults: { seed, webhooks },
      });
      await send(hub, ...actions);
      const received = hook.received.map(({ name }) => name.replace("release.", ""));
      const failed = hub.deliveries().filter(({ statusCode }) => statusCode === 502);
      return { received, failed: failed.map(({ action }) => action ?? "") };
    };

    const [one, same, other] = [await round(7), await round(7), await round(8)];

    const distinct = new Set(one.received);
    const missing = actions.filter((action) => !distinct.has(action));
    expect(one.received.length).toBeGreaterThan(distinct.size);
    expect(missing.length).toBeGreaterThan(one.failed.length);
    expect(one.failed.length).toBeGreaterThan(0);
    expect([...distinct]).not.toEqual(actions.filter((action) => distinct.has(action)));
    expect([...same.received].sort()).toEqual([...one.received].sort());
    expect(same.failed).toEqual(one.failed);
    expect([...other.received].sort()).not.toEqual([...one.received].sort());
  });

  it("gives both copies of a doubled delivery the same id", async () => {
    await using hook = await receiveWebhooks();
    await using hub = await startLocalHub({
      ...{ webhook: { url: hook.url }, faults: { webhooks: { double: 1 } } },
    });

    await send(hub, "published");

    const ids = hook.received.map(({ headers }) => headers["x-github-delivery"]);
    expect(ids.length).toBe(2);
    expect(new Set(ids).size).toBe(1);
  });
});

it("ends at once while a receiver keeps it waiting and jobs are under way", async () => {
  const arrived = Promise.withResolvers<void>();
  const server = (await import("node:net")).createServer(() => arrived.resolve());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : 0;
  const text = "on: push\njobs: { a: { runs-on: x, if: always(), steps: [{ run: a }] } }";
  const hub = await startLocalHub({ webhook: { url: `http://127.0.0.1:${port}/` } });

  await hub.commit("octo/hello", {
    branch: "main",
    message: "1",
    files: { ".github/workflows/a.yml": text },
  });
  await arrived.promise;
  await hub[Symbol.asyncDispose]();
  server.close();

  await expect(fetch(hub.apiUrl)).rejects.toThrow();
});
