import { BerthError } from "../../../runner/errors.ts";

/** Says which option of `options:` has which bad value, why, and what would be right. */
export function optionError(
  option: string,
  value: string,
  reason: string,
  remedy?: string,
): BerthError {
  return new BerthError("CONTAINER_OPTION", {
    message: `The value "${value}" of ${option} is not usable: ${reason}.`,
    remedy: remedy ?? `Correct ${option} in the container's settings.`,
  });
}
