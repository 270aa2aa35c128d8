import { setMaxListeners } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { buildHub, readAppKey } from "./build-hub.ts";
import { controlHub } from "./control-hub.ts";
import { whenDelivered } from "./deliveries.ts";
import { listen } from "./http-server.ts";
import type { Hub } from "./hub.ts";
import type { LocalHubOptions } from "./hub-options.ts";
import type { LocalHub } from "./local-hub.ts";

/**
 * A small GitHub on this machine: REST as at `/api/v3`, git over HTTP, signed webhooks, and Actions as far as GitHub's side of
 * them goes: it queues jobs, and whoever asked for it runs them. For tests of what talks to GitHub. It listens on 127.0.0.1 only.
 *
 * @throws {BerthError} `USAGE` for options that make no sense.
 */
export async function startLocalHub(options: LocalHubOptions = {}): Promise<LocalHub> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "localhub-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const closing = new AbortController();
  setMaxListeners(0, closing.signal);

  const key = await readAppKey(options.app?.privateKey);
  const built = Promise.withResolvers<Hub>();
  const server = stack.use(await listen(built.promise));
  const hub = await buildHub(options, { url: server.url, folder, key, closed: closing.signal });
  built.resolve(hub);
  stack.defer(() => closing.abort());

  const rest = stack.move();
  return {
    ...controlHub(hub, key.export({ type: "pkcs1", format: "pem" }).toString()),
    settled: () => settle(hub),
    async [Symbol.asyncDispose]() {
      closing.abort();
      hub.outbox.clear();
      await settle(hub);
      await Promise.all(hub.driving);
      await rest.disposeAsync();
    },
  };
}

async function settle(hub: Hub): Promise<void> {
  const changes = () => [...hub.repositories.values()].map((repository) => repository.changes);
  const isBusy = () =>
    hub.following.size > 0 ||
    hub.heldBack.size > 0 ||
    [...changes(), hub.outbox].some((queue) => queue.size + queue.pending > 0);
  do {
    await Promise.all(changes().map((queue) => queue.onIdle()));
    await Promise.all(hub.following);
    await whenDelivered(hub);
    // What follows from a job's end is worked out in promises, without anything to wait for.
    await turn();
    await turn();
  } while (isBusy());
}
