import { data } from "@actions/expressions";
import { numberToText, textToNumber } from "./number-text.ts";
import type { Json } from "./template.ts";

export type ExpressionData = ReturnType<data.Dictionary["values"]>[number];

/** A string that becomes a number by the runner's rules, not by JavaScript's. */
export class Text extends data.StringData {
  override number(): number {
    return textToNumber(this.value);
  }
}

/** A number that prints as the runner prints it. */
export class Num extends data.NumberData {
  override coerceString(): string {
    return numberToText(this.value);
  }
}

type Slot = { readonly key: string; json?: Json; data?: ExpressionData };

/**
 * An object whose values are converted when they are asked for: an event payload is large, and an expression
 * takes one field of it. Each value stays the same instance, which is what `==` compares.
 */
export class ObjectData extends data.Dictionary {
  readonly #json: { readonly [key: string]: Json };
  readonly #isCaseSensitive: boolean;
  #read: Map<string, Slot> | undefined;

  constructor(json: { readonly [key: string]: Json } = {}, isCaseSensitive = false) {
    super();
    this.#json = json;
    this.#isCaseSensitive = isCaseSensitive;
  }

  override add(key: string, value: ExpressionData): void {
    this.#put(this.#slots, key, { data: value });
  }

  override get(key: string): ExpressionData | undefined {
    const slot = this.#slots.get(this.#fold(key));
    return slot && readSlot(slot);
  }

  override values(): ExpressionData[] {
    return [...this.#slots.values()].map(readSlot);
  }

  override pairs(): { key: string; value: ExpressionData }[] {
    return [...this.#slots.values()].map((slot) => ({ key: slot.key, value: readSlot(slot) }));
  }

  get #slots(): Map<string, Slot> {
    if (!this.#read) {
      this.#read = new Map();
      for (const [key, json] of Object.entries(this.#json)) this.#put(this.#read, key, { json });
    }
    return this.#read;
  }

  /** A second key that differs only in case replaces the value of the first. */
  #put(slots: Map<string, Slot>, key: string, value: Omit<Slot, "key">): void {
    const folded = this.#fold(key);
    slots.set(folded, { key: slots.get(folded)?.key ?? key, ...value });
  }

  #fold(key: string): string {
    return this.#isCaseSensitive ? key : key.toUpperCase();
  }
}

function readSlot(slot: Slot): ExpressionData {
  slot.data ??= toData(slot.json ?? null);
  return slot.data;
}

export function toData(json: Json): ExpressionData {
  if (json === null) return new data.Null();
  if (typeof json === "string") return new Text(json);
  if (typeof json === "number") return new Num(json);
  if (typeof json === "boolean") return new data.BooleanData(json);
  if (!isList(json)) return new ObjectData(json);
  const array = new data.Array();
  for (const item of json) array.add(toData(item));
  return array;
}

export function toJson(value: ExpressionData): Json {
  if (value instanceof data.Array) return value.values().map(toJson);
  if (value instanceof data.Dictionary) {
    return Object.fromEntries(value.pairs().map((pair) => [pair.key, toJson(pair.value)]));
  }
  return value instanceof data.Null ? null : value.value;
}

/** A value of the library's own classes as one of ours; others pass. */
export function adopt(value: ExpressionData): ExpressionData {
  if (value instanceof data.StringData && !(value instanceof Text)) return new Text(value.value);
  if (value instanceof data.NumberData && !(value instanceof Num)) return new Num(value.value);
  return value;
}

function isList(json: Json): json is readonly Json[] {
  return Array.isArray(json);
}
