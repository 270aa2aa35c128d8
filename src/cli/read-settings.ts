import { readFile } from "node:fs/promises";
import { parse } from "dotenv";
import { BerthError } from "../../runner/errors.ts";
import { explainBadVariable } from "../../runner/workflow/variable-names.ts";
import { whyUnreadable } from "../config/why-unreadable.ts";

export type Values = { readonly [name: string]: string };

/**
 * Values from dotenv files and `K=V` flags, in this order; the last one wins.
 *
 * @param options `flag` is the option's name for errors; with `fromEnv` a `K` alone takes its value from there.
 * @throws {BerthError} `USAGE` for what is not `K=V`, `INPUT_INVALID` for a file that cannot be read.
 */
export async function readValues(
  pairs: readonly string[] = [],
  files: readonly string[] = [],
  { flag, fromEnv }: { flag: string; fromEnv?: { readonly [name: string]: string | undefined } },
): Promise<Values> {
  const fromFiles: Values[] = [];
  for (const file of files) fromFiles.push(parse(await readText(file, `--${flag}-file`)));
  return Object.assign(
    {},
    ...fromFiles,
    Object.fromEntries(pairs.map((pair) => split(pair, flag, fromEnv))),
  );
}

function split(
  pair: string,
  flag: string,
  fromEnv: { readonly [name: string]: string | undefined } | undefined,
): [string, string] {
  const at = pair.indexOf("=");
  if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)];
  const value = at < 0 ? fromEnv?.[pair] : undefined;
  if (value !== undefined) return [pair, value];
  const remedy =
    fromEnv === undefined
      ? `Write --${flag} NAME=VALUE.`
      : `Write --${flag} NAME=VALUE, or set NAME in the environment and write --${flag} NAME.`;
  const message =
    at < 0 && fromEnv !== undefined
      ? `--${flag} ${pair}: there is no ${pair} in the environment.`
      : `--${flag} ${pair} is not NAME=VALUE.`;
  throw new BerthError("USAGE", { message, remedy });
}

/** @throws {BerthError} `INPUT_INVALID` when one of them could not be a secret or variable of GitHub's. */
export function checkNames(kind: "secret" | "variable", values: Values): void {
  const wrong = Object.entries(values).flatMap(
    ([name, value]) => explainBadVariable(kind, name, value) ?? [],
  );
  if (wrong.length > 0) throw new BerthError("INPUT_INVALID", { message: wrong.join("\n") });
}

/** @throws {BerthError} `INPUT_INVALID` naming the flag and why. */
export async function readText(file: string, flag: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new BerthError("INPUT_INVALID", {
      message: `${flag} ${file} cannot be read: ${whyUnreadable(cause)}.`,
      remedy: "Check the path; it is taken from the folder you are in.",
      cause,
    });
  }
}

/**
 * `--matrix K:V` as a filter: for each key the values that are wanted.
 *
 * @throws {BerthError} `USAGE`
 */
export function readMatrixFilter(pairs: readonly string[] = []): { [key: string]: string[] } {
  const filter: { [key: string]: string[] } = {};
  for (const pair of pairs) {
    const at = pair.indexOf(":");
    if (at <= 0) {
      throw new BerthError("USAGE", {
        message: `--matrix ${pair} is not KEY:VALUE.`,
        remedy: "Write --matrix node:20 for the legs whose `node` is 20.",
      });
    }
    const key = pair.slice(0, at);
    filter[key] = [...(filter[key] ?? []), pair.slice(at + 1)];
  }
  return filter;
}
