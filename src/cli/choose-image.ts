import { BerthError } from "../../runner/errors.ts";

/** Which image a label's jobs run in, by label in lower case; `*` stands for every label. */
export type ImageMap = ReadonlyMap<string, string>;

/**
 * `--image LABEL=IMAGE`. Labels may hold an equals sign, images do not.
 *
 * @throws {BerthError} `USAGE`
 */
export function readImageMap(pairs: readonly string[] = []): ImageMap {
  return new Map(
    pairs.map((pair) => {
      const at = pair.lastIndexOf("=");
      if (at > 0 && at < pair.length - 1) {
        return [pair.slice(0, at).toLowerCase(), pair.slice(at + 1)] as const;
      }
      throw new BerthError("USAGE", {
        message: `--image ${pair} is not LABEL=IMAGE.`,
        remedy: "Write --image ubuntu-latest=debian:12, or --image '*=debian:12' for every label.",
      });
    }),
  );
}

/** The image that `--image` or a label `image=…` names for a job; `undefined`: the job image. */
export function chooseImage(labels: readonly string[], images: ImageMap): string | undefined {
  const lower = labels.map((label) => label.toLowerCase());
  const mapped = lower.map((label) => images.get(label)).find((image) => image !== undefined);
  const own = labels.map((label) => /^image[=:](.+)$/i.exec(label)?.[1]).find(Boolean);
  return mapped ?? own ?? images.get("*");
}

/** Why a job cannot run here, in a sentence; `undefined` when it can. */
export function refuseLabels(labels: readonly string[], images: ImageMap): string | undefined {
  if (chooseImage(labels, images) !== undefined) return undefined;
  const foreign = labels.find((label) => /^(?:windows|macos)(?:$|-)/i.test(label));
  if (foreign === undefined) return undefined;
  const system = /^windows/i.test(foreign) ? "Windows" : "macOS";
  return `The label ${foreign} asks for ${system}, and Berth runs Linux containers; --image ${foreign}=IMAGE runs the job in a Linux image all the same.`;
}
