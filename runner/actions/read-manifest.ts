import type { ActionManifest } from "./action-manifest.ts";

/**
 * Reads an `action.yml` and checks it as GitHub's runner does.
 *
 * @param file What the file is called in errors.
 * @throws {BerthError} `ACTION_INVALID` with everything that is wrong, each as `file:line:col: message` and its line.
 */
export function readManifest(_text: string, _file: string): ActionManifest {
  throw new Error("not written yet");
}
