import type { Json } from "../../runner/expressions/template.ts";

export type JsonObject = { readonly [key: string]: Json };

/** An event as it leaves the hub, before it is delivered to anyone. */
export type HubEvent = {
  readonly event: string;
  readonly action?: string;
  /** `OWNER/NAME`. */
  readonly repository?: string;
  readonly payload: JsonObject;
};

/** One attempt to deliver an event, as the App's deliveries API lists it. */
export type Delivery = {
  readonly id: number;
  readonly guid: string;
  readonly event: string;
  readonly action: string | null;
  readonly installationId: number | null;
  readonly repositoryId: number | null;
  readonly isRedelivery: boolean;
  readonly deliveredAt: string;
  readonly durationSeconds: number;
  readonly statusCode: number;
  /** `OK`, or what went wrong. */
  readonly status: string;
  readonly url: string;
  readonly requestHeaders: { readonly [name: string]: string };
  /** The raw body, as signed. */
  readonly body: string;
  readonly responseHeaders: { readonly [name: string]: string };
  readonly responseBody: string;
};
