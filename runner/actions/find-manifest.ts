import { BerthError } from "../errors.ts";
import { MAX_FILE_BYTES } from "../workflow/read-tokens.ts";
import type { ActionManifest } from "./action-manifest.ts";
import { readManifest } from "./read-manifest.ts";

/** What makes a folder an action: the first of these files in it. */
export const MANIFEST_NAMES = ["action.yml", "action.yaml", "Dockerfile", "dockerfile"] as const;
/** One that is larger is read with one byte more, and is refused for that. */
export const MANIFEST_LIMIT_BYTES = MAX_FILE_BYTES;
export type ManifestName = (typeof MANIFEST_NAMES)[number];

/**
 * The manifest of a folder whose first manifest file is `name`. A Dockerfile alone is a docker action without inputs; `text` is not looked at then.
 *
 * @param file What the file is called in errors.
 * @throws {BerthError} `ACTION_INVALID`
 */
export function toManifest(name: ManifestName, text: string, file: string): ActionManifest {
  if (name === "action.yml" || name === "action.yaml") return readManifest(text, file);
  const image = { kind: "dockerfile", path: name } as const;
  const runs = { using: "docker", image, env: {}, preIf: "always()", postIf: "always()" } as const;
  return { inputs: {}, runs };
}

/** What a step that uses a folder of the workspace fails with when no manifest is there. */
export function localManifestMissing(folder: string): BerthError {
  return new BerthError("ACTION_NOT_FOUND", {
    message: `Can't find 'action.yml', 'action.yaml' or 'Dockerfile' under '${folder}'. Did you forget to run actions/checkout before running your local action?`,
    remedy:
      "Check the path after 'uses: ./', which starts at the workspace, and that a step before this one checks the repository out.",
  });
}
