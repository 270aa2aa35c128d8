import type { ImageContext } from "./job-image.ts";

/** What making an image needs from outside; the folder that speaks to engines gives it. */
export type ImageEngine = {
  hasImage(tag: string): Promise<boolean>;
  /** Tags the image only when it is complete. */
  buildImage(
    context: ImageContext,
    options: MakeImageOptions & { readonly buildArgs: { readonly [name: string]: string } },
  ): Promise<void>;
  /** Name of an image with a Debian 12 and little more, made or fetched when there is none yet. */
  findBase(options: MakeImageOptions): Promise<string>;
};

export type MakeImageOptions = {
  progress(line: string): void;
  readonly signal: AbortSignal;
};

/** Builds an image unless the engine has it, and returns its name. */
export async function makeImage(
  context: ImageContext,
  engine: ImageEngine,
  options: MakeImageOptions,
): Promise<string> {
  if (await engine.hasImage(context.tag)) return context.tag;
  const base = await engine.findBase(options);
  await engine.buildImage(context, { ...options, buildArgs: { BASE: base } });
  return context.tag;
}
