import { z } from "zod";
import { readSize } from "../containers/options/read-quantity.ts";

const UNIT_MS: { readonly [unit: string]: number } = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A time with its unit, read into milliseconds: `90s` is `{ ms: 90000 }`. */
export const Duration = z
  .string()
  .regex(/^(\d+(\.\d+)?(ms|s|m|h|d))+$/, "must be a time with a unit, like 30s, 10m, 1h30m or 7d")
  .transform((text) => ({ ms: durationMs(text) }));
export type Duration = z.infer<typeof Duration>;

/** An amount of memory or disk as Docker writes it, read into bytes: `16g` is `{ bytes: 17179869184 }`. */
export const ByteSize = z
  .string()
  .regex(
    /^\d+(\.\d+)? ?([kmgtpKMGTP]([iI]?[bB])?|[bB])?$/,
    "must be a size, like 512m, 16g or 1.5GiB",
  )
  .transform((text) => ({ bytes: readSize(text, "size") }));
export type ByteSize = z.infer<typeof ByteSize>;

function durationMs(text: string): number {
  const parts = [...text.matchAll(/([\d.]+)(ms|s|m|h|d)/g)];
  return Math.round(
    parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNIT_MS[unit ?? ""] ?? 0), 0),
  );
}
