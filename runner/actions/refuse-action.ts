import { BerthError } from "../errors.ts";

/**
 * Says that actions cannot be run yet.
 *
 * @throws {BerthError} `NOT_SUPPORTED_YET`, always.
 */
export function refuseAction(uses: string): never {
  throw new BerthError("NOT_SUPPORTED_YET", {
    message: `This version cannot run actions yet: uses: ${uses}.`,
    remedy: "Do what the action does in a `run:` step, or skip the step with an `if:`.",
  });
}
