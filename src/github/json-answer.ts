import { z } from "zod";
import type { Json } from "../../runner/expressions/template.ts";

type JsonObject = { readonly [key: string]: Json };

/** GitHub's answer as it is, whatever it holds. */
export const JsonObjectAnswer = z.record(z.string(), z.unknown()).transform(toJson);

function toJson(data: { readonly [key: string]: unknown }): JsonObject {
  return JSON.parse(JSON.stringify(data, smallerNumbers)) as JsonObject;
}

/** Octokit reads what no number can hold as a bigint, and JSON has none: as everywhere else, the last digits go. */
function smallerNumbers(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}
