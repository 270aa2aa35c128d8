import type { Json } from "../expressions/template.ts";
import { leavesOf } from "./matrix.ts";

const MAX_CHARACTERS = 100;

/**
 * A job's name as GitHub prints it: with the combination's values unless `name` says all with expressions.
 * (`JobNameBuilder` of GitHub's workflow parser.)
 */
export function nameJob(
  id: string,
  name: { readonly text: string; readonly isEvaluated: boolean } | undefined,
  named: { readonly [key: string]: Json } | undefined,
): string {
  if (name?.isEvaluated && name.text !== "") return shorten(name.text);
  const base = name?.text || id;
  const values = named ? leavesOf(named) : [];
  return shorten(values.length > 0 ? `${base} (${values.join(", ")})` : base);
}

function shorten(name: string): string {
  return name.length > MAX_CHARACTERS ? `${name.slice(0, MAX_CHARACTERS - 3)}...` : name;
}
