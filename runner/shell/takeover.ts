import { readNumbers } from "./frames.ts";
import type { Ended } from "./running-command.ts";

/** What a shell says of itself when a client takes over: of the last command it got, and of the last that began. */
export type Takeover = {
  readonly epoch: number;
  readonly last: number;
  readonly hash: string;
  readonly begun: { readonly number: number; readonly ended?: Omit<Ended, "files"> };
};

/** @param rest The words of a `sync` frame on stdout, after the verb. */
export function readTakeover(rest: readonly string[]): Takeover {
  const [epoch = 0, last = 0] = readNumbers(rest.slice(1), 2);
  const [number = 0] = readNumbers(rest.slice(4), 1);
  const [code] = rest[5] === "-" && rest.length > 6 ? readNumbers(rest.slice(6), 1) : [];
  const begun = { number, ...(code !== undefined && { ended: { code, why: rest[7] ?? "" } }) };
  return { epoch, last, hash: rest[3] ?? "", begun };
}
