import type { Receipt, ReceivedRequest } from "../intake/receive-delivery.ts";
import type { Route } from "./route.ts";

/** GitHub's own limit of a payload. */
const MAX_PAYLOAD_BYTES = 25 * 1024 * 1024;

/** Where GitHub sends the App's events. */
export function webhookRoute(receive: (request: ReceivedRequest) => Promise<Receipt>): Route {
  return {
    method: "POST",
    path: "/webhooks/github",
    maxBodyBytes: MAX_PAYLOAD_BYTES,
    async handle({ headers, body }) {
      const { status, message } = await receive({ headers, body });
      return { status, body: { message } };
    },
  };
}
