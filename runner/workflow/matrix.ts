import { equals } from "@actions/expressions/result";
import { toText } from "../expressions/evaluate.ts";
import { toData } from "../expressions/expression-data.ts";
import type { Json, Template } from "../expressions/template.ts";

type Values = { readonly [name: string]: Json };

/** One combination. `named` are the values its name shows: extras that an `include` added are not among them. */
export type Leg = { readonly matrix: Values; readonly named: Values };

const MAX_LEGS = 256;
/** What is multiplied out before `exclude` has its say. */
const MAX_COMBINATIONS = 100_000;

/**
 * The combinations of a matrix, the last key varying fastest, those that only `include` knows at the end.
 * (`MatrixBuilder` of GitHub's workflow parser.)
 *
 * @param matrix The evaluated `strategy.matrix`.
 * @throws {MatrixError} In GitHub's words where there are any.
 */
export function expandMatrix(matrix: Json): Leg[] {
  if (!isObject(matrix)) throw new MatrixError("The matrix is not a mapping");
  const vectors = new Map<string, readonly Json[]>();
  let include: readonly Values[] = [];
  let exclude: readonly Values[] = [];
  for (const [key, value] of Object.entries(matrix)) {
    if (key.toLowerCase() === "include") include = readFilters(value, "include");
    else if (key.toLowerCase() === "exclude") exclude = readFilters(value, "exclude");
    else vectors.set(key, readVector(key, value));
  }
  if (vectors.size === 0 && include.length === 0) {
    throw new MatrixError("Matrix must define at least one vector");
  }

  const originals = combine(vectors).filter((values) => !exclude.some(excludes(vectors, values)));
  const legs = applyIncludes(originals, include, vectors);
  if (legs.length === 0) throw new MatrixError("The matrix excludes all of its combinations");
  if (legs.length > MAX_LEGS) {
    throw new MatrixError(
      `The matrix makes ${legs.length} jobs, more than the ${MAX_LEGS} allowed`,
    );
  }
  return legs;
}

export class MatrixError extends Error {}

/** What is wrong with a matrix, as far as can be said before its expressions have values. */
export function explainBadMatrix(template: Template): string | undefined {
  const literal = literalOf(template);
  try {
    if (literal !== undefined) {
      expandMatrix(literal);
    } else if (template !== null && typeof template === "object" && "map" in template) {
      for (const [key, value] of template.map) {
        const vector = literalOf(value);
        if (typeof key !== "string" || vector === undefined) continue;
        if (/^(?:in|ex)clude$/i.test(key)) readFilters(vector, key);
        else readVector(key, vector);
      }
    }
    return undefined;
  } catch (error) {
    if (error instanceof MatrixError) return error.message;
    throw error;
  }
}

/** All primitive values of a combination, as a job's name shows them. */
export function leavesOf(value: Json): string[] {
  if (value === null) return [];
  if (typeof value === "object") return Object.values(value).flatMap(leavesOf);
  const text = toText(value);
  return text === "" ? [] : [text];
}

function readVector(key: string, value: Json): readonly Json[] {
  if (!isList(value)) throw new MatrixError(`Matrix vector '${key}' is not a list`);
  if (value.length === 0) {
    throw new MatrixError(`Matrix vector '${key}' does not contain any values`);
  }
  return value;
}

function readFilters(value: Json, name: string): readonly Values[] {
  if (value === null || value === "") return [];
  if (!isList(value)) throw new MatrixError(`Matrix ${name} is not a list`);
  return value.map((entry) => {
    if (!isObject(entry)) throw new MatrixError(`Matrix ${name} entries must be mappings`);
    if (Object.keys(entry).length === 0) {
      throw new MatrixError(`Matrix ${name} entry does not contain any values`);
    }
    return entry;
  });
}

function combine(vectors: ReadonlyMap<string, readonly Json[]>): Values[] {
  if (vectors.size === 0) return [];
  const size = [...vectors.values()].reduce((product, vector) => product * vector.length, 1);
  if (size > MAX_COMBINATIONS) {
    throw new MatrixError(`The matrix makes ${size} jobs, more than the ${MAX_LEGS} allowed`);
  }
  let combinations: Values[] = [{}];
  for (const [key, vector] of vectors) {
    combinations = combinations.flatMap((values) =>
      vector.map((value) => ({ ...values, [key]: value })),
    );
  }
  return combinations;
}

function excludes(
  vectors: ReadonlyMap<string, unknown>,
  values: Values,
): (entry: Values) => boolean {
  return (entry) => {
    for (const key of Object.keys(entry)) {
      if (vectorFor(key, vectors) === undefined) {
        throw new MatrixError(
          `Matrix exclude key '${key}' does not match any key within the matrix`,
        );
      }
    }
    return matches(entry, values, vectors);
  };
}

function applyIncludes(
  originals: readonly Values[],
  include: readonly Values[],
  vectors: ReadonlyMap<string, unknown>,
): Leg[] {
  const legs = originals.map((named) => ({ named, matrix: named }));
  const added: Leg[] = [];
  for (const entry of include) {
    const isFilter = ([key]: readonly [string, Json]) => vectorFor(key, vectors) !== undefined;
    const filter = Object.fromEntries(Object.entries(entry).filter(isFilter));
    const extras = Object.fromEntries(Object.entries(entry).filter((pair) => !isFilter(pair)));
    const matching = legs.filter((leg) => matches(filter, leg.named, vectors));
    for (const leg of matching) leg.matrix = { ...leg.matrix, ...extras };
    if (matching.length === 0) {
      const values = { ...filter, ...extras };
      added.push({ named: values, matrix: values });
    }
  }
  return [...legs, ...added];
}

function matches(filter: Values, values: Values, vectors: ReadonlyMap<string, unknown>): boolean {
  return Object.entries(filter).every(([key, wanted]) =>
    matchesLeaves(wanted, values[vectorFor(key, vectors) ?? key] ?? null),
  );
}

function matchesLeaves(wanted: Json, actual: Json): boolean {
  if (wanted === null || typeof wanted !== "object") return equals(toData(wanted), toData(actual));
  if (actual === null || typeof actual !== "object") return false;
  const actualByKey = new Map(
    Object.entries(actual).map(([key, value]) => [key.toLowerCase(), value]),
  );
  return Object.entries(wanted).every(([key, value]) =>
    matchesLeaves(value, actualByKey.get(key.toLowerCase()) ?? null),
  );
}

function vectorFor(key: string, vectors: ReadonlyMap<string, unknown>): string | undefined {
  return vectors.has(key)
    ? key
    : [...vectors.keys()].find((vector) => vector.toLowerCase() === key.toLowerCase());
}

function literalOf(template: Template): Json | undefined {
  if (template === null || typeof template !== "object") return template;
  if ("expr" in template) return undefined;
  if ("seq" in template) {
    const items = template.seq.map(literalOf);
    return items.every((item) => item !== undefined) ? items : undefined;
  }
  const pairs: [string, Json][] = [];
  for (const [key, value] of template.map) {
    const literal = literalOf(value);
    if ((key !== null && typeof key === "object") || literal === undefined) return undefined;
    pairs.push([toText(key), literal]);
  }
  return Object.fromEntries(pairs);
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

function isObject(value: Json): value is Values {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
