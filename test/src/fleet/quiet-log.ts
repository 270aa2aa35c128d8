import type { Log } from "../../../src/log.ts";

/** A log that remembers its messages. */
export function quietLog(): Log & { readonly said: string[] } {
  const said: string[] = [];
  const say = (...given: unknown[]) => void said.push(String(given.at(-1)));
  return { said, error: say, warn: say, info: say, debug: say };
}
