import type { IncomingHttpHeaders } from "node:http";
import { Webhooks } from "@octokit/webhooks";
import type { Log } from "../log.ts";
import type { DeliveryRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { AnyPayload, describeIssues, isUsed, type Payload, schemaOf } from "./payloads.ts";

export type ReceivedRequest = { readonly headers: IncomingHttpHeaders; readonly body: Buffer };

/** What GitHub is told; it shows the message in the App's list of deliveries. */
export type Receipt = { readonly status: 202 | 400 | 401 | 503; readonly message: string };

export type ReceiveDeps = {
  /** All that are valid now: two while one replaces the other. */
  secrets(): readonly string[];
  readonly deliveries: Pick<Store["deliveries"], "add">;
  /** Called when a delivery has been kept that was not known. */
  arrived(): void;
  /** When GitHub tried first to deliver one that it was asked to deliver again: milliseconds since 1970. */
  firstTriedAtMs?(id: string): number | undefined;
  readonly log: Log;
  now?(): number;
};

/** Takes what GitHub posts: signature, form, then kept durably before it is answered. Never rejects. */
export async function receiveDelivery(
  { headers, body }: ReceivedRequest,
  deps: ReceiveDeps,
): Promise<Receipt> {
  const raw = body.toString();
  const refused = await checkSignature(raw, headers, deps.secrets());
  if (refused !== undefined) {
    deps.log.warn({ delivery: headers["x-github-delivery"] }, "delivery with a wrong signature");
    return { status: 401, message: refused };
  }
  const read = readDelivery(raw, headers);
  if ("message" in read) {
    deps.log.warn({ delivery: read.id, event: read.event, problem: read.message }, "bad delivery");
    return { status: 400, message: read.message };
  }

  try {
    const receivedAtMs = deps.firstTriedAtMs?.(read.id) ?? (deps.now ?? Date.now)();
    const isNew = await deps.deliveries.add({ ...read, receivedAtMs });
    if (isNew) deps.arrived();
    return { status: 202, message: isNew ? "Kept." : "Known already." };
  } catch (error) {
    deps.log.error({ err: error, delivery: read.id }, "delivery could not be kept");
    return { status: 503, message: "Berth cannot keep it now, and will ask for it again." };
  }
}

/** As kept from the deliveries API: the payload was GitHub's own answer, so that nothing has to be checked but its use. */
export function recordOf(
  {
    id,
    event,
    payload,
  }: { readonly id: string; readonly event: string; readonly payload: Payload },
  receivedAtMs: number,
): DeliveryRecord {
  return { ...trimmed({ id, event, payload }), receivedAtMs };
}

/** Why it is not GitHub's; `undefined` when it is. Octokit compares in constant time. */
async function checkSignature(
  raw: string,
  headers: IncomingHttpHeaders,
  secrets: readonly string[],
): Promise<string | undefined> {
  const signature = headers["x-hub-signature-256"];
  if (typeof signature !== "string" || signature === "") {
    return "X-Hub-Signature-256 is missing: set the same webhook secret in the App and in berth.yml.";
  }
  if (raw === "") return undefined; // nothing was signed, and nothing can be made of it
  for (const secret of secrets) {
    if (await new Webhooks({ secret }).verify(raw, signature)) return undefined;
  }
  return "X-Hub-Signature-256 does not fit: the webhook secret in the App is not the one in berth.yml.";
}

type Problem = {
  readonly message: string;
  readonly id?: string | undefined;
  readonly event?: string | undefined;
};

function readDelivery(
  raw: string,
  headers: IncomingHttpHeaders,
): Omit<DeliveryRecord, "receivedAtMs"> | Problem {
  const id = headerOf(headers, "x-github-delivery");
  const event = headerOf(headers, "x-github-event");
  const problem = (message: string): Problem => ({ message, id, event });
  if (/^application\/x-www-form-urlencoded/i.test(headers["content-type"] ?? "")) {
    return problem(
      'The payload is form-encoded: set "Content type" to application/json in the webhook settings of the App.',
    );
  }
  if (id === undefined) return problem("The header X-GitHub-Delivery is missing.");
  if (event === undefined) return problem("The header X-GitHub-Event is missing.");

  const payload = AnyPayload.safeParse(parseJson(raw));
  if (!payload.success) return problem("The body is not a JSON object.");
  const checked = schemaOf(event)?.safeParse(payload.data);
  if (checked?.success === false) {
    return problem(`The payload of ${event} is not complete: ${describeIssues(checked.error)}.`);
  }
  return trimmed({ id, event, payload: payload.data });
}

/** Of what nothing is made, only the id is kept. */
function trimmed({
  id,
  event,
  payload,
}: {
  readonly id: string;
  readonly event: string;
  readonly payload: Payload;
}): Omit<DeliveryRecord, "receivedAtMs"> {
  const action = typeof payload.action === "string" ? payload.action : undefined;
  return {
    ...{ id, event, payload: isUsed(event, action) ? payload : {} },
    ...(action !== undefined && { action }),
  };
}

function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

function parseJson(raw: string): unknown {
  try {
    return JSON.parse(raw);
  } catch {
    return undefined;
  }
}
