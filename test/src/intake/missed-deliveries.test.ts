import { describe, expect, it } from "@jest/globals";
import { openGitHubApp } from "../../../src/github/open-github-app.ts";
import type { IntakeEvent } from "../../../src/intake/intake-event.ts";
import { openHearing } from "../../../src/intake/open-hearing.ts";
import { pollDeliveries } from "../../../src/intake/poll-deliveries.ts";
import { receiveDelivery } from "../../../src/intake/receive-delivery.ts";
import { createDeliverySweep } from "../../../src/intake/sweep-deliveries.ts";
import { createJobSweep } from "../../../src/intake/sweep-jobs.ts";
import type { LocalHub } from "../../../src/localhub/local-hub.ts";
import { startLocalHub } from "../../../src/localhub/start-local-hub.ts";
import { startServer } from "../../../src/server/start-server.ts";
import { webhookRoute } from "../../../src/server/webhook-route.ts";
import { openStore } from "../../../src/store/open-store.ts";
import { SILENT, temporaryFolder } from "./deliveries-fixture.ts";

const CI = `on: push
jobs:
  a: { runs-on: berth, steps: [{ run: "true" }] }
  b: { runs-on: berth, steps: [{ run: "true" }] }
`;
const NOBODY = "http://127.0.0.1:9/webhooks/github";

async function open(url?: string) {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(temporaryFolder());
  const store = stack.use(await openStore(folder.path));
  const log = SILENT;
  const arrived = () => {};
  const receiving = { secrets: () => ["s3cret"], deliveries: store.deliveries, log, arrived };
  const server = stack.use(
    await startServer({
      ...{ listen: { host: "127.0.0.1", port: 0 }, log },
      routes: [webhookRoute((request) => receiveDelivery(request, receiving))],
    }),
  );
  const hub = stack.use(
    await startLocalHub({
      webhook: { url: url ?? `${server.url}/webhooks/github`, secret: "s3cret" },
    }),
  );
  const app = stack.use(
    openGitHubApp({
      ...{ apiUrl: hub.apiUrl, serverUrl: hub.url, appId: hub.app.id, env: {}, log },
      ...{ privateKey: hub.app.privateKey, secondMs: 1, writeGapMs: 0 },
    }),
  );
  const close = () => stack.disposeAsync();
  return { store, hub, app, log, arrived, [Symbol.asyncDispose]: close };
}

async function push(hub: LocalHub): Promise<void> {
  await hub.commit("octo/hello", {
    ...{ branch: "main", message: "Change", files: { ".github/workflows/ci.yml": CI } },
  });
  await hub.settled();
}

function idsOf(hub: LocalHub): string[] {
  return [...new Set(hub.deliveries().map(({ guid }) => guid))].sort();
}

describe("what GitHub could not deliver", () => {
  it("is asked for again by the sweep, which fetches what fails twice more", async () => {
    await using world = await open();
    const { hub, store } = world;
    hub.setFaults({ webhooks: { drop: 0.5, double: 0.2, reorder: 0.2, delayMs: 20 }, seed: 3 });
    await push(hub);
    const lost = hub.deliveries().filter(({ statusCode }) => statusCode === 502);
    hub.setWebhook(NOBODY);
    const { sweep } = createDeliverySweep(world);

    for (let turn = 0; turn < 3; turn += 1) {
      await sweep();
      await hub.settled();
    }

    expect(lost.length).toBeGreaterThan(0);
    const kept = (await store.deliveries.unhandled(100)).map(({ id }) => id);
    expect(kept.sort()).toEqual(idsOf(hub));
  });

  it("is delivered again where the address answers meanwhile", async () => {
    await using world = await open();
    const { hub, store } = world;
    hub.setFaults({ webhooks: { drop: 1 } });
    await push(hub);
    hub.setFaults({});
    const { sweep } = createDeliverySweep(world);

    await sweep();
    await hub.settled();

    const kept = (await store.deliveries.unhandled(100)).map(({ id }) => id);
    expect(kept.sort()).toEqual(idsOf(hub));
    expect(hub.deliveries().filter(({ isRedelivery }) => isRedelivery)).toHaveLength(kept.length);
  });

  it("is read from the log when nobody listens, in order and once", async () => {
    await using world = await open(NOBODY);
    const { hub, store } = world;
    await push(hub);

    await pollDeliveries(world);
    await pollDeliveries(world);

    const kept = await store.deliveries.unhandled(100);
    expect(kept.map(({ id }) => id)).toEqual(hub.deliveries().map(({ guid }) => guid));
    expect(kept.map(({ event }) => event)).toContain("workflow_job");
  });

  it("is found by asking for the jobs, where the log has nothing", async () => {
    await using world = await open();
    const { hub, store } = world;
    hub.setFaults({ webhooks: { lose: 1 } });
    await push(hub);
    const heard: IntakeEvent[] = [];
    const hearing = openHearing(store, async (event) => void heard.push(event));
    const jobs = createJobSweep({ ...world, hearing, heartbeat: () => {} });

    await jobs.sweep();
    await jobs.sweep();

    const ids = hub.jobs().map(({ id }) => id);
    expect(heard.map((event) => event.type === "job" && event.job.id)).toEqual(ids);
    expect(await store.githubJobs.get(ids[0] ?? 0)).toMatchObject({
      ...{ repository: "octo/hello", status: "queued", labels: ["berth"] },
    });
  });
});
