import { type Document, isAlias, isMap, isNode, isScalar, isSeq, type LineCounter } from "yaml";
import type { Path } from "./placeholders.ts";

export type Place = { readonly line: number; readonly column: number };

/**
 * Where in a YAML file the value at `path` stands; with `key` its key. Where it is missing, what should have held it.
 */
export function placeOf(
  document: Document,
  lines: LineCounter,
  { path, key = false }: { path: Path; key?: boolean },
): Place {
  let offset = startOf(document.contents) ?? 0;
  let node: unknown = document.contents;
  for (const [index, step] of path.entries()) {
    const child = childOf(resolve(node, document), step);
    if (child === undefined) break;
    const isLast = index === path.length - 1;
    const isKey = isLast && key && child.key !== undefined;
    const start = isKey ? undefined : startOf(child.value);
    // What is missing in a list or a mapping is told at the key that holds it.
    const isInner =
      !isLast && childOf(resolve(child.value, document), path[index + 1] ?? "") === undefined;
    const ownStart = isInner && child.key !== undefined ? undefined : start;
    offset = ownStart ?? startOf(child.key) ?? start ?? offset;
    node = child.value;
  }
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}

function childOf(node: unknown, step: PropertyKey): { key: unknown; value: unknown } | undefined {
  if (isSeq(node)) {
    const value = node.items[Number(step)];
    return value === undefined ? undefined : { key: undefined, value };
  }
  if (!isMap(node)) return undefined;
  return node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
}

function resolve(node: unknown, document: Document): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}

/** `undefined` for a value that is not written, as after `key:`. */
function startOf(node: unknown): number | undefined {
  if (!isNode(node) || !node.range) return undefined;
  return isScalar(node) && node.value === null && node.source === "" ? undefined : node.range[0];
}
