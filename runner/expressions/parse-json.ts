import { data } from "@actions/expressions";
import { type ExpressionData, Num, ObjectData, Text } from "./expression-data.ts";

const MAX_DEPTH = 100;

/**
 * Reads JSON as `fromJSON` of GitHub's runner does: comments, single quotes, bare property names and trailing commas
 * are allowed, and what follows the first value is ignored. Keys keep their order, also those that look like numbers.
 *
 * @throws {SyntaxError} When there is no value; says nothing of the text, which may be a secret.
 */
export function parseJson(text: string): ExpressionData {
  let at = 0;

  const fail = (): never => {
    throw new SyntaxError(`no valid JSON at character ${at + 1}`);
  };
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) at += found.length;
    return found;
  };
  const skipBlank = (): void => void take(/(?:\s|\uFEFF|\/\*[\s\S]*?\*\/|\/\/[^\n]*)*/y);

  const readValue = (depth: number): ExpressionData => {
    if (depth > MAX_DEPTH) return fail();
    skipBlank();
    switch (text[at]) {
      case "{":
        return readObject(depth);
      case "[":
        return readArray(depth);
      case '"':
      case "'":
        return new Text(readString());
      default:
        return readLiteral();
    }
  };

  const readObject = (depth: number): ExpressionData => {
    const object = new ObjectData();
    at++;
    for (;;) {
      skipBlank();
      if (take(/\}/y)) return object;
      const isQuoted = text[at] === '"' || text[at] === "'";
      const key = isQuoted ? readString() : (take(/[\w$-]+/y) ?? fail());
      skipBlank();
      take(/:/y) ?? fail();
      object.add(key, readValue(depth + 1));
      skipBlank();
      if (!take(/,/y) && text[at] !== "}") fail();
    }
  };

  const readArray = (depth: number): ExpressionData => {
    const array = new data.Array();
    at++;
    for (;;) {
      skipBlank();
      if (take(/\]/y)) return array;
      array.add(readValue(depth + 1));
      skipBlank();
      if (!take(/,/y) && text[at] !== "]") fail();
    }
  };

  const readString = (): string => {
    const quoted = take(/"[^"\\]*(?:\\[\s\S][^"\\]*)*"|'[^'\\]*(?:\\[\s\S][^'\\]*)*'/y) ?? fail();
    return quoted
      .slice(1, -1)
      .replace(/\\(?:u([0-9a-fA-F]{4})|([\s\S]))/g, (_all, code, single) => {
        if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16));
        return ESCAPES[single] ?? fail();
      });
  };

  const readLiteral = (): ExpressionData => {
    const word = take(/[-+.\w]+/y) ?? fail();
    if (word === "null" || word === "undefined") return new data.Null();
    if (word === "true" || word === "false") return new data.BooleanData(word === "true");
    if (/^(?:NaN|-?Infinity)$/.test(word)) return new Num(Number(word));
    if (/^-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(word)) return new Num(Number(word));
    return fail();
  };

  return readValue(1);
}

const ESCAPES: { readonly [letter: string]: string } = {
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  "/": "/",
  "\\": "\\",
  '"': '"',
  "'": "'",
};
