import { BerthError } from "../../../runner/errors.ts";
import { optionError } from "../options/option-error.ts";

/**
 * A name that every system takes for a user.
 *
 * @throws {BerthError} `CONTAINER_OPTION`
 */
export function userName(text: string, flag: string): string {
  if (text === "root") {
    throw optionError(flag, text, "root exists, and does not log in", "Name another user.");
  }
  if (/^[a-z_][a-z0-9_-]{0,31}$/.test(text)) return text;
  throw new BerthError("CONTAINER_OPTION", {
    message: `The value "${text}" of ${flag} is not usable: it is not a user's name of up to 32 lower-case letters, digits, _ and -.`,
    remedy: /[:/.]/.test(text)
      ? `If ${text} is the image, name it before the flag, or write ${flag}=pod-user.`
      : `Correct ${flag}, like pod-user.`,
  });
}
