import type { Heard } from "./run-probe-script.ts";

/** Clocks of virtual machines wander by that much, in milliseconds, and nobody minds. */
const NO_SKEW_MS = 100;

/**
 * How far a machine's clock is ahead of ours, in milliseconds: what it said is compared with the middle of the time in which it said it, so that half of
 * the way there and back is left out of it.
 *
 * @param clock Seconds since 1970, with a fraction where `date` has one.
 */
export function readClock(clock: Heard["clock"]): number | null {
  if (clock === undefined) return null;
  const [, seconds, fraction] = /^(\d+)(?:\.(\d+))?/.exec(clock.said) ?? [];
  if (seconds === undefined) return null;
  // Without a fraction it stands for any moment of that second.
  const theirs = Number(seconds) + (fraction === undefined ? 0.5 : Number(`0.${fraction}`));
  const skewMs = theirs * 1000 - (clock.fromMs + clock.toMs) / 2;
  const blurMs = (clock.toMs - clock.fromMs) / 2 + (fraction === undefined ? 500 : 0) + NO_SKEW_MS;
  return Math.abs(skewMs) <= blurMs ? 0 : Math.round(skewMs);
}
