import type { ObjectReader } from "@actions/workflow-parser/templates/object-reader";
import {
  BooleanToken,
  type LiteralToken,
  MappingToken,
  NullToken,
  NumberToken,
  SequenceToken,
  StringToken,
} from "@actions/workflow-parser/templates/tokens/index";
import type { TokenRange } from "@actions/workflow-parser/templates/tokens/token-range";
import { isString } from "@actions/workflow-parser/templates/tokens/type-guards";
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseDocument,
  type Scalar,
} from "yaml";
import { toText } from "../expressions/evaluate.ts";
import type { TextBlock } from "./locate-expression.ts";
import type { Problems } from "./problems.ts";

/** Tokens are made when they are read: a file whose aliases multiply is refused before that. */
type YamlEvent =
  | { readonly type: "literal"; readonly make: () => LiteralToken }
  | { readonly type: "sequence"; readonly make: () => SequenceToken }
  | { readonly type: "mapping"; readonly make: () => MappingToken }
  | { readonly type: "end" };

const MAX_DEPTH = 50;
const MAX_EVENTS = 1_000_000;

/**
 * Feeds a YAML file to the template reader of `@actions/workflow-parser`. Its own reader takes multi-line text with the file's
 * indentation and stumbles over keys that are no strings.
 *
 * @returns `undefined` when the file is no YAML that GitHub accepts; `problems` then says why.
 */
export function readYaml(text: string, fileId: number, problems: Problems): YamlReader | undefined {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: false, version: "1.2" });
  // The first: what follows it is often of its making, and GitHub's reader stops there too.
  for (const error of document.errors.slice(0, 1)) {
    const [start] = error.linePos ?? [];
    problems.add(firstLine(error.message), start && { line: start.line, column: start.col });
  }
  if (document.errors.length > 0) return undefined;
  if (document.contents === null) {
    problems.add("The file is empty", undefined);
    return undefined;
  }
  const events = flatten(document, fileId, lines, problems);
  return events && new YamlReader(events);
}

function flatten(
  document: Document.Parsed,
  fileId: number,
  lines: LineCounter,
  problems: Problems,
): YamlEvent[] | undefined {
  const events: YamlEvent[] = [];
  const targets = new Map<ParsedNode, ParsedNode>();

  const rangeOf = (node: ParsedNode): TokenRange => {
    const [start, end] = node.range;
    const from = lines.linePos(start);
    const to = lines.linePos(end);
    return { start: { line: from.line, column: from.col }, end: { line: to.line, column: to.col } };
  };
  const refuse: (message: string, node: ParsedNode) => never = (message, node) => {
    problems.add(message, rangeOf(node).start);
    throw new RefusedError(message);
  };
  const follow = (node: ParsedNode): ParsedNode => {
    if (!isAlias(node)) return node;
    const known = targets.get(node);
    if (known) return known;
    // Walks the whole document. The target stands earlier in it, so it is a parsed node too.
    const target = node.resolve(document) as ParsedNode | undefined;
    if (!target) return refuse(`Unknown alias '${node.source}'`, node);
    targets.set(node, target);
    return target;
  };

  const visitKey = (node: ParsedNode): void => {
    const key = follow(node);
    if (!isScalar(key)) refuse("A key must be a single value", node);
    if (key.value === "<<" && key.type === "PLAIN") {
      refuse("Merge keys ('<<') are not supported", node);
    }
    const name = typeof key.value === "string" ? key.value : literalText(key.value);
    events.push({
      type: "literal",
      make: () => new StringToken(fileId, rangeOf(node), name, undefined, key.source),
    });
  };

  const visit = (given: ParsedNode, depth: number): void => {
    if (depth > MAX_DEPTH) refuse(`Nesting is deeper than ${MAX_DEPTH} levels`, given);
    if (events.length > MAX_EVENTS) refuse("The file is too large", given);
    const node = follow(given);
    if (isScalar(node)) {
      events.push({ type: "literal", make: () => literal(node, fileId, rangeOf(node)) });
    } else if (isSeq(node)) {
      const make = () => new SequenceToken(fileId, rangeOf(node), undefined);
      events.push({ type: "sequence", make });
      for (const item of node.items) visit(item, depth + 1);
      events.push({ type: "end" });
    } else if (isMap(node)) {
      events.push({
        type: "mapping",
        make: () => new MappingToken(fileId, rangeOf(node), undefined),
      });
      for (const { key, value } of node.items) {
        visitKey(key);
        if (value) visit(value, depth + 1);
        else
          events.push({
            type: "literal",
            make: () => new NullToken(fileId, rangeOf(key), undefined),
          });
      }
      events.push({ type: "end" });
    }
  };

  try {
    if (document.contents) visit(document.contents, 1);
  } catch (error) {
    if (error instanceof RefusedError) return undefined;
    throw error;
  }
  return events;
}

/** Ends the walk over a file; what was wrong is among the problems already. */
class RefusedError extends Error {}

function literal(node: Scalar, fileId: number, range: TokenRange): LiteralToken {
  const { value } = node;
  if (typeof value === "number") return new TextualNumber(fileId, range, value, undefined);
  if (typeof value === "boolean") return new BooleanToken(fileId, range, value, undefined);
  if (typeof value !== "string") return new NullToken(fileId, range, undefined);
  // The template reader takes multi-line text from `source` if there is one, which still has the file's indentation.
  const source = range.start.line === range.end.line ? node.source : undefined;
  return new StringToken(fileId, range, value, undefined, source);
}

function literalText(value: unknown): string {
  return typeof value === "number" || typeof value === "boolean" ? toText(value) : "";
}

/** A number that becomes text as the service makes it: `1.10` is `1.1`. */
class TextualNumber extends NumberToken {
  override toString(): string {
    return toText(this.value);
  }
}

export class YamlReader implements ObjectReader {
  /** The texts over several lines read so far. */
  readonly blocks: TextBlock[] = [];
  readonly #events: readonly YamlEvent[];
  #next = 0;

  constructor(events: readonly YamlEvent[]) {
    this.#events = events;
  }

  allowLiteral(): LiteralToken | undefined {
    const event = this.#events[this.#next];
    if (event?.type !== "literal") return undefined;
    this.#next++;
    const token = event.make();
    if (isString(token)) this.#remember(token);
    return token;
  }

  allowSequenceStart(): SequenceToken | undefined {
    const event = this.#events[this.#next];
    if (event?.type !== "sequence") return undefined;
    this.#next++;
    return event.make();
  }

  allowMappingStart(): MappingToken | undefined {
    const event = this.#events[this.#next];
    if (event?.type !== "mapping") return undefined;
    this.#next++;
    return event.make();
  }

  allowSequenceEnd(): boolean {
    return this.#allowEnd();
  }

  allowMappingEnd(): boolean {
    return this.#allowEnd();
  }

  validateStart(): void {}

  validateEnd(): void {
    if (this.#next < this.#events.length) throw new Error("Expected end of reader");
  }

  #remember({ range, value }: StringToken): void {
    if (!range || range.start.line === range.end.line) return;
    this.blocks.push({ start: range.start, endLine: range.end.line, value });
  }

  #allowEnd(): boolean {
    if (this.#events[this.#next]?.type !== "end") return false;
    this.#next++;
    return true;
  }
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0]?.replace(/ at line \d+, column \d+:?$/, "") ?? text;
}
