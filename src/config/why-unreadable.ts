import { textOf } from "../../runner/errors.ts";

/** Why a file could not be read, in words that end a sentence. */
export function whyUnreadable(error: unknown): string {
  switch (codeOf(error)) {
    case "ENOENT":
      return "there is no such file";
    case "EACCES":
    case "EPERM":
      return "this user may not read it";
    case "EISDIR":
      return "it is a folder";
    default:
      return textOf(error);
  }
}

/** An error of the file system may be of another realm, where `instanceof` says nothing. */
function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}
