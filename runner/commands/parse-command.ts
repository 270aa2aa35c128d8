/** A workflow command that a line of output holds. */
export type Command = {
  /** Lower case. */
  readonly name: string;
  /** Keys are lower case, values are not empty. */
  readonly properties: ReadonlyMap<string, string>;
  readonly data: string;
};

/**
 * Reads `::name key=value,key2=value2::data`, which only blanks may precede, or the old `##[name key=value;key2=value2]data`
 * anywhere in the line. `undefined` when the line holds none whose name, in lower case, is registered.
 */
export function parseCommand(
  line: string,
  isRegistered: (name: string) => boolean,
): Command | undefined {
  return parseColons(line.trimStart(), isRegistered) ?? parseBrackets(line, isRegistered);
}

type Escapes = readonly (readonly [escaped: string, plain: string])[];
const CR: Escapes[number] = ["%0D", "\r"];
const LF: Escapes[number] = ["%0A", "\n"];
const PERCENT: Escapes[number] = ["%25", "%"];
const DATA: Escapes = [CR, LF, PERCENT];
const PROPERTY: Escapes = [CR, LF, ["%3A", ":"], ["%2C", ","], PERCENT];
const OLD_FORM: Escapes = [["%3B", ";"], CR, LF, ["%5D", "]"], PERCENT];

function parseColons(line: string, isRegistered: (name: string) => boolean): Command | undefined {
  if (!line.startsWith("::")) return undefined;
  const end = line.indexOf("::", 2);
  if (end < 0) return undefined;

  const head = readHead(line.slice(2, end));
  if (!isRegistered(head.name)) return undefined;
  return {
    name: head.name,
    properties: readProperties(head.rest.trim(), ",", PROPERTY),
    data: unescapeText(line.slice(end + 2), DATA),
  };
}

function parseBrackets(line: string, isRegistered: (name: string) => boolean): Command | undefined {
  const start = line.indexOf("##[");
  if (start < 0) return undefined;
  const end = line.indexOf("]", start);
  if (end < 0) return undefined;

  const head = readHead(line.slice(start + 3, end));
  if (!isRegistered(head.name)) return undefined;
  return {
    name: head.name,
    properties: readProperties(head.rest, ";", OLD_FORM),
    data: unescapeText(line.slice(end + 1), OLD_FORM),
  };
}

function readHead(head: string): { name: string; rest: string } {
  const space = head.indexOf(" ");
  return space < 0
    ? { name: head.toLowerCase(), rest: "" }
    : { name: head.slice(0, space).toLowerCase(), rest: head.slice(space + 1) };
}

function readProperties(text: string, separator: string, escapes: Escapes): Map<string, string> {
  const properties = new Map<string, string>();
  for (const part of text.split(separator)) {
    const [, key, value] = /^=*([^=]+)=+(.+)$/s.exec(part) ?? [];
    if (key && value) properties.set(key.toLowerCase(), unescapeText(value, escapes));
  }
  return properties;
}

function unescapeText(text: string, escapes: Escapes): string {
  return escapes.reduce(
    (plain, [escaped, character]) => plain.replaceAll(escaped, character),
    text,
  );
}
