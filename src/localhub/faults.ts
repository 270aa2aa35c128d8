/** What goes wrong on request. Every number is a probability from 0 to 1, 0 when left out. */
export type FaultSettings = {
  /** The same seed gives the same faults for the same order of requests. Default 1. */
  readonly seed?: number;
  readonly webhooks?: {
    /** Not sent, but in the deliveries log as failed, so that it can be redelivered. */
    readonly drop?: number;
    /** Not sent, and nowhere to be seen. */
    readonly lose?: number;
    /** Sent twice with the same delivery id. */
    readonly double?: number;
    /** Kept back until later ones have been sent, at most `delayMs`. */
    readonly reorder?: number;
    /** Sent late, by up to `delayMs`. */
    readonly delay?: number;
    /** In milliseconds. Default 200. */
    readonly delayMs?: number;
  };
  readonly api?: {
    /** Answered 502; nothing is done. */
    readonly error?: number;
    /** Carried out, then answered 502 all the same. */
    readonly errorAfter?: number;
    /** Answered 429 with `Retry-After`. */
    readonly tooMany?: number;
    /** In seconds. Default 1. */
    readonly retryAfterSeconds?: number;
    /** Limits the faults to some requests; `path` begins after `/api/v3`. */
    readonly when?: (method: string, path: string) => boolean;
  };
};

export type WebhookFault = "drop" | "lose" | "double" | "reorder" | "delay";
export type ApiFault = "error" | "errorAfter" | "tooMany";

export type Faults = {
  set(settings: FaultSettings): void;
  /** What happens to the next delivery; its delay in milliseconds where there is one. */
  ofWebhook(): { readonly fault: WebhookFault | undefined; readonly delayMs: number };
  ofRequest(
    method: string,
    path: string,
  ): { readonly fault: ApiFault | undefined; readonly retryAfterSeconds: number };
};

/** Draws faults from one seeded row of numbers for webhooks and another for requests. */
export function createFaults(initial: FaultSettings): Faults {
  let settings = initial;
  let webhookRandom = seededRandom(initial.seed ?? 1);
  let apiRandom = seededRandom((initial.seed ?? 1) + 1);

  return {
    set(next) {
      settings = next;
      webhookRandom = seededRandom(next.seed ?? 1);
      apiRandom = seededRandom((next.seed ?? 1) + 1);
    },
    ofWebhook() {
      const { delayMs = 200, ...chances } = settings.webhooks ?? {};
      const fault = draw(webhookRandom(), chances);
      return { fault, delayMs: Math.ceil(webhookRandom() * delayMs) };
    },
    ofRequest(method, path) {
      const { retryAfterSeconds = 1, when = () => true, ...chances } = settings.api ?? {};
      const fault = when(method, path) ? draw(apiRandom(), chances) : undefined;
      return { fault, retryAfterSeconds };
    },
  };
}

function draw<Name extends string>(
  number: number,
  chances: { readonly [name in Name]?: number },
): Name | undefined {
  let below = 0;
  for (const name of Object.keys(chances) as Name[]) {
    below += chances[name] ?? 0;
    if (number < below) return name;
  }
  return undefined;
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
