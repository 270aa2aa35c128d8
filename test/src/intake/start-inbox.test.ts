import { describe, expect, it } from "@jest/globals";
import { BerthError } from "../../../runner/errors.ts";
import { handleDelivery } from "../../../src/intake/handle-delivery.ts";
import type { IntakeEvent } from "../../../src/intake/intake-event.ts";
import { openHearing } from "../../../src/intake/open-hearing.ts";
import type { Payload } from "../../../src/intake/payloads.ts";
import { startInbox } from "../../../src/intake/start-inbox.ts";
import type { Log } from "../../../src/log.ts";
import { openStore } from "../../../src/store/open-store.ts";
import type { DeliveryRecord } from "../../../src/store/records.ts";
import type { Store } from "../../../src/store/store.ts";
import {
  jobPayload,
  QUEUED,
  REPOSITORY,
  SENDER,
  SILENT,
  temporaryFolder,
} from "./deliveries-fixture.ts";

const APP_ID = 99;

function delivery(id: string, event: string, payload: Payload, receivedAtMs = 1): DeliveryRecord {
  const action = typeof payload.action === "string" ? { action: payload.action } : {};
  return { id, event, payload, receivedAtMs, ...action };
}

/** An inbox over a store that tells `hear` what it made of deliveries. */
function openInbox(
  store: Store,
  hear: (event: IntakeEvent) => Promise<void> | void,
  { log = SILENT, retryAfterMs = [1, 1] }: { log?: Log; retryAfterMs?: number[] } = {},
) {
  const hearing = openHearing(store, async (event) => await hear(event));
  return startInbox({
    ...{ deliveries: store.deliveries, log, retryAfterMs, heartbeat: () => {} },
    handle: (one) => handleDelivery(one, { triggers: store.triggers, hearing, appId: APP_ID }),
  });
}

async function heardOf(...deliveries: DeliveryRecord[]): Promise<IntakeEvent[]> {
  using folder = temporaryFolder();
  await using store = await openStore(folder.path);
  for (const one of deliveries) await store.deliveries.add(one);
  const heard: IntakeEvent[] = [];
  await using inbox = openInbox(store, (event) => void heard.push(event));
  await inbox.settled();
  return heard;
}

describe("the inbox", () => {
  it("tells each change of a job once, whatever the order and however often its events come", async () => {
    const completed = jobPayload("completed", {
      ...{ conclusion: "success", runner_name: "r1", completed_at: "2026-06-18T07:00:10Z" },
    });

    const heard = await heardOf(
      delivery("a", "workflow_job", completed, 1),
      delivery("b", "workflow_job", jobPayload("queued"), 2),
      delivery("c", "workflow_job", completed, 3),
    );

    const job = {
      ...{ ...QUEUED, status: "completed", conclusion: "success", runnerName: "r1" },
      completedBy: { login: "octocat", isBot: false },
      completedAtMs: Date.parse("2026-06-18T07:00:10Z"),
    };
    expect(heard).toEqual([{ type: "job", job }]);
  });

  it("tells what a job was before", async () => {
    const heard = await heardOf(
      delivery("a", "workflow_job", jobPayload("queued"), 1),
      delivery("b", "workflow_job", jobPayload("in_progress", { runner_name: "r1" }), 2),
    );

    expect(heard).toEqual([
      { type: "job", job: QUEUED },
      {
        type: "job",
        job: { ...QUEUED, status: "in_progress", runnerName: "r1" },
        before: QUEUED,
      },
    ]);
  });

  it("tells of cancelled runs, buttons of our checks and installations", async () => {
    const of = { repository: REPOSITORY, sender: SENDER };
    const check = { id: 5, head_sha: "abc", app: { id: APP_ID } };
    const foreign = { ...check, app: { id: 1 } };
    const run = { id: 10, run_attempt: 2, updated_at: "2026-06-18T07:00:00Z" };

    const heard = await heardOf(
      delivery("a", "workflow_run", {
        ...{ action: "completed", workflow_run: { ...run, conclusion: "cancelled" }, ...of },
      }),
      delivery("b", "workflow_run", {
        ...{ action: "completed", workflow_run: { ...run, conclusion: "success" }, ...of },
      }),
      delivery("c", "check_run", { action: "rerequested", check_run: check, ...of }),
      delivery("d", "check_run", {
        ...{ action: "requested_action", check_run: check, ...of },
        requested_action: { identifier: "cancel" },
      }),
      delivery("e", "check_run", { action: "rerequested", check_run: foreign, ...of }),
      delivery("f", "check_suite", { action: "rerequested", check_suite: check, ...of }),
      delivery("g", "check_suite", { action: "rerequested", check_suite: foreign, ...of }),
      delivery("h", "installation", { action: "created", installation: { id: 7 } }),
    );

    const repository = "octo/hello";
    const by = "octocat";
    expect(heard).toEqual([
      {
        ...{ type: "run_cancelled", repository, githubRunId: 10, attempt: 2 },
        ...{ by: { login: by, isBot: false }, atMs: Date.parse("2026-06-18T07:00:00Z") },
      },
      { type: "check_rerequested", repository, headSha: "abc", checkRunId: 5, by },
      { type: "check_action", repository, checkRunId: 5, identifier: "cancel", by },
      { type: "check_rerequested", repository, headSha: "abc", by },
      { type: "installation", installationId: 7 },
    ]);
  });

  it("keeps payloads of events that start workflows, as workflows see them", async () => {
    using folder = temporaryFolder();
    await using store = await openStore(folder.path);
    const payload = { ref: "refs/heads/main", repository: REPOSITORY, inputs: { a: "b" } };
    const sent = { ...payload, installation: { id: 7 } };
    await store.deliveries.add(delivery("a", "workflow_dispatch", sent, 3));

    await using inbox = openInbox(store, () => {});
    await inbox.settled();

    const wanted = { repositoryId: REPOSITORY.id, event: "workflow_dispatch" };
    expect(await store.triggers.find(wanted)).toEqual([
      { deliveryId: "a", ...wanted, payload, receivedAtMs: 3 },
    ]);
  });

  it("handles what an earlier life kept and did not end, and nothing that it ended", async () => {
    using folder = temporaryFolder();
    {
      await using store = await openStore(folder.path);
      const first = delivery("a", "workflow_job", jobPayload("queued", { id: 1 }), 1);
      const second = delivery("b", "workflow_job", jobPayload("queued", { id: 2 }), 2);
      await store.deliveries.add(first);
      await store.deliveries.add(second);
      await store.deliveries.markHandled("a");
      // Of the second only the join was kept: the process died before anyone heard of it.
      await store.githubJobs.put({ ...QUEUED, id: 2, name: "job 2" });
    }

    await using store = await openStore(folder.path);
    const heard: IntakeEvent[] = [];
    await using inbox = openInbox(store, (event) => void heard.push(event));
    await inbox.settled();

    expect(heard).toEqual([{ type: "job", job: { ...QUEUED, id: 2, name: "job 2" } }]);
    expect(await store.deliveries.unhandled(10)).toEqual([]);
    expect(await store.deliveries.add(delivery("b", "ping", {}))).toBe(false);
  });

  it("lets others pass while a failed one waits, and gives it up after its last try", async () => {
    using folder = temporaryFolder();
    await using store = await openStore(folder.path);
    await store.deliveries.add(delivery("a", "workflow_job", jobPayload("queued", { id: 1 }), 1));
    await store.deliveries.add(delivery("b", "workflow_job", jobPayload("queued", { id: 2 }), 2));
    const tried: number[] = [];
    const gaveUp = Promise.withResolvers<unknown>();
    const log: Log = { ...SILENT, error: gaveUp.resolve };

    const hear = (event: IntakeEvent) => {
      if (event.type !== "job") return;
      tried.push(event.job.id);
      if (event.job.id === 1) throw new Error("no");
    };
    await using inbox = openInbox(store, hear, { log });

    expect(await gaveUp.promise).toMatchObject({ delivery: "a", event: "workflow_job" });
    expect(tried).toEqual([1, 2, 1, 1]);
    await inbox[Symbol.asyncDispose]();
    expect(await store.deliveries.unhandled(10)).toEqual([]);
  });

  it("gives a payload up at once that cannot be read, and goes on", async () => {
    const heard = await heardOf(
      delivery("a", "workflow_job", { action: "queued" }, 1),
      delivery("b", "workflow_job", jobPayload("queued"), 2),
    );

    expect(heard).toEqual([{ type: "job", job: QUEUED }]);
  });

  it("never gives up for want of a disk", async () => {
    using folder = temporaryFolder();
    await using store = await openStore(folder.path);
    await store.deliveries.add(delivery("a", "workflow_job", jobPayload("queued")));
    let failures = 10;
    const done = Promise.withResolvers<void>();

    await using _inbox = openInbox(store, () => {
      failures -= 1;
      if (failures > 0) throw new BerthError("STORE_UNUSABLE", { message: "The disk is full." });
      done.resolve();
    });

    await done.promise;
    expect(failures).toBe(0);
  });

  it("wakes when a delivery arrives", async () => {
    using folder = temporaryFolder();
    await using store = await openStore(folder.path);
    const heard = Promise.withResolvers<IntakeEvent>();
    await using inbox = openInbox(store, heard.resolve);
    await inbox.settled();

    await store.deliveries.add(delivery("a", "workflow_job", jobPayload("queued")));
    inbox.wake();

    expect(await heard.promise).toMatchObject({ type: "job" });
  });
});
