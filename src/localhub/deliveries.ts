import { createHmac, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Hub, Installation } from "./hub.ts";
import type { Delivery, HubEvent } from "./hub-event.ts";

type Letter = {
  readonly guid: string;
  readonly event: string;
  readonly action: string | null;
  readonly installationId: number | null;
  readonly repositoryId: number | null;
  readonly body: string;
  readonly isRedelivery: boolean;
};

/** These go to every App, whether it subscribed to them or not. */
const ALWAYS_SENT: ReadonlySet<string> = new Set([
  "installation",
  "installation_repositories",
  "github_app_authorization",
]);
const MAX_RESPONSE_CHARACTERS = 64 * 1024;
/** A letter that is kept back behind later ones goes when this many of them have gone. */
const OVERTAKEN_BY = 2;

/** Sends an event to the App, if it has subscribed to it and has an address; in the order of the calls, unless a fault says otherwise. */
export function deliver(
  hub: Hub,
  { event, action, payload }: HubEvent,
  ids: { readonly installation: Installation | undefined; readonly repositoryId: number | null },
): void {
  if (!hub.webhook.url || hub.closed.aborted) return;
  if (!ALWAYS_SENT.has(event) && !hub.app.events.includes(event)) return;

  const letter: Letter = {
    guid: randomUUID(),
    event,
    action: action ?? null,
    installationId: ids.installation?.id ?? null,
    repositoryId: ids.repositoryId,
    body: JSON.stringify(payload),
    isRedelivery: false,
  };
  const { fault, delayMs } = hub.faults.ofWebhook();
  if (fault === "lose") return;
  if (fault === "drop") log(hub, letter, { statusCode: 502, status: "failed to connect to host" });
  else if (fault === "delay") {
    keepBack(hub, sleep(delayMs, undefined, { signal: hub.closed }), letter);
  } else if (fault === "reorder") keepBack(hub, overtaken(hub, delayMs), letter);
  else post(hub, letter);
  if (fault === "double") post(hub, letter);
}

/** Sends a delivery again, with its id and body; a new entry of the log. */
export function redeliver(hub: Hub, { guid, event, action, ...delivery }: Delivery): void {
  const { installationId, repositoryId, body } = delivery;
  post(hub, { guid, event, action, installationId, repositoryId, body, isRedelivery: true });
}

/** Resolves when nothing waits to be sent any more. */
export async function whenDelivered(hub: Hub): Promise<void> {
  while (hub.heldBack.size > 0 || hub.outbox.size + hub.outbox.pending > 0) {
    await Promise.all(hub.heldBack);
    await hub.outbox.onIdle();
  }
}

function keepBack(hub: Hub, until: Promise<unknown>, letter: Letter): void {
  const held = until
    .then(
      () => post(hub, letter),
      () => {}, // the hub was closed meanwhile
    )
    .finally(() => hub.heldBack.delete(held));
  hub.heldBack.add(held);
}

async function overtaken(hub: Hub, delayMs: number): Promise<void> {
  const target = hub.deliveries.length + OVERTAKEN_BY;
  const patience = AbortSignal.any([hub.closed, AbortSignal.timeout(delayMs)]);
  while (hub.deliveries.length < target && !patience.aborted) await sleep(2);
  hub.closed.throwIfAborted();
}

function post(hub: Hub, letter: Letter): void {
  // A closed hub's queue is cleared, not drained.
  void hub.outbox.add(() => send(hub, letter));
}

async function send(hub: Hub, letter: Letter): Promise<void> {
  const { url, timeoutMs } = hub.webhook;
  if (!url || hub.closed.aborted) return;
  const headers = headersOf(hub, letter);
  const begin = performance.now();
  try {
    const response = await fetch(url, {
      method: "POST",
      headers,
      body: letter.body,
      redirect: "manual",
      signal: AbortSignal.any([hub.closed, AbortSignal.timeout(timeoutMs)]),
    });
    const text = await response.text();
    log(hub, letter, {
      statusCode: response.status,
      status: response.ok ? "OK" : `Invalid HTTP Response: ${response.status}`,
      ms: performance.now() - begin,
      responseHeaders: Object.fromEntries(response.headers),
      responseBody: text.slice(0, MAX_RESPONSE_CHARACTERS),
    });
  } catch (error) {
    if (hub.closed.aborted) return;
    const isLate = error instanceof Error && error.name === "TimeoutError";
    const status = isLate ? "timed out" : "failed to connect to host";
    log(hub, letter, { statusCode: isLate ? 504 : 502, status, ms: performance.now() - begin });
  }
}

function headersOf(hub: Hub, { guid, event, body }: Letter): { [name: string]: string } {
  const digest = (algorithm: string) =>
    createHmac(algorithm, hub.webhook.secret).update(body).digest("hex");
  return {
    Accept: "*/*",
    "Content-Type": "application/json",
    "User-Agent": "GitHub-Hookshot/localhub",
    "X-GitHub-Delivery": guid,
    "X-GitHub-Event": event,
    "X-GitHub-Hook-ID": String(hub.app.id),
    "X-GitHub-Hook-Installation-Target-ID": String(hub.app.id),
    "X-GitHub-Hook-Installation-Target-Type": "integration",
    "X-Hub-Signature": `sha1=${digest("sha1")}`,
    "X-Hub-Signature-256": `sha256=${digest("sha256")}`,
  };
}

function log(
  hub: Hub,
  letter: Letter,
  answer: {
    readonly statusCode: number;
    readonly status: string;
    readonly ms?: number;
    readonly responseHeaders?: { readonly [name: string]: string };
    readonly responseBody?: string;
  },
): void {
  const { responseHeaders = {}, responseBody = "", ms = 0 } = answer;
  hub.deliveries.push({
    ...letter,
    id: hub.nextId(),
    deliveredAt: hub.now().toISOString(),
    durationSeconds: Math.round(ms / 10) / 100,
    statusCode: answer.statusCode,
    status: answer.status,
    url: hub.webhook.url ?? "",
    requestHeaders: headersOf(hub, letter),
    responseHeaders,
    responseBody,
  });
}
