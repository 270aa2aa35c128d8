import { isMap, isNode, isSeq, parseDocument, stringify, type YAMLSeq } from "yaml";
import { BerthError } from "../../runner/errors.ts";
import type { Host } from "./host.ts";

/** What `berth host add` writes of a host, in this order. */
export type HostEntry = Pick<Host, "name" | "ssh" | "docker" | "identityFile" | "jump" | "hostKey">;

/** This machine, which a file without `hosts` means. */
const HERE: HostEntry = { name: "here" };

/**
 * The text of `berth.yml` with one more host at the end of `hosts`. Everything else stays as it is, to the letter, unless `hosts` is written in brackets.
 * A text without hosts meant this machine, which then is named beside the new one.
 *
 * @param text `undefined` where there is no file yet.
 * @throws {BerthError} `CONFIG_INVALID` when it is no YAML; `USAGE` when there is a host of that name.
 */
export function addHost(text: string | undefined, host: HostEntry): string {
  if (text === undefined) return `hosts:\n${entry(host, "  ")}`;
  const document = parse(text);
  const hosts = document.get("hosts", true);
  if (isSeq(hosts) && indexOf(hosts, host.name) !== undefined) {
    throw new BerthError("USAGE", {
      message: `There is a host ${host.name} already.`,
      remedy: `Choose another name, or remove it first: berth host rm ${host.name}`,
    });
  }
  if (isSeq(hosts) && hosts.flow !== true && hosts.items.length > 0) {
    const { start, end } = linesOf(text, hosts, hosts.items.length - 1);
    const [indent = ""] = /^ */.exec(text.slice(start)) ?? [];
    return `${withLineEnd(text.slice(0, end))}${entry(host, indent)}${text.slice(end)}`;
  }
  if (isSeq(hosts) && hosts.items.length > 0) {
    document.addIn(["hosts"], document.createNode(host));
    return document.toString({ lineWidth: 0 });
  }
  if (hosts === undefined || hosts === null) {
    const isEmpty =
      document.contents === null ||
      (isMap(document.contents) && document.contents.items.length === 0);
    if (!isEmpty) return `${withLineEnd(text)}hosts:\n${entry(HERE, "  ")}${entry(host, "  ")}`;
  }
  document.set("hosts", document.createNode([HERE, host]));
  return document.toString({ lineWidth: 0 });
}

/**
 * The text of `berth.yml` without a host, and without the comment right above it. With the last host goes `hosts` itself: this machine remains.
 *
 * @throws {BerthError} `CONFIG_INVALID` when it is no YAML; `USAGE` when there is no such host.
 */
export function removeHost(text: string, name: string): string {
  const document = parse(text);
  const hosts = document.get("hosts", true);
  const index = isSeq(hosts) ? indexOf(hosts, name) : undefined;
  if (!isSeq(hosts) || index === undefined) throw noHost(isSeq(hosts) ? hosts : undefined, name);
  if (hosts.items.length === 1) {
    document.delete("hosts");
    return document.toString({ lineWidth: 0 });
  }
  if (hosts.flow === true) {
    hosts.delete(index);
    return document.toString({ lineWidth: 0 });
  }
  const { start, end } = linesOf(text, hosts, index);
  // Above the first one it may be about all of them.
  const comment = index === 0 ? "" : (/(?:^ *#.*\n)+$/m.exec(text.slice(0, start))?.[0] ?? "");
  return text.slice(0, start - comment.length) + text.slice(end);
}

function parse(text: string) {
  const document = parseDocument(text, { version: "1.2", keepSourceTokens: true });
  const [error] = document.errors;
  if (error !== undefined) {
    throw new BerthError("CONFIG_INVALID", {
      message: `The configuration is no YAML: ${error.message}`,
      remedy: "Correct it; `berth validate` tells all that is wrong with it.",
    });
  }
  return document;
}

function entry(host: HostEntry, indent: string): string {
  const lines = Object.entries(host).filter(([, value]) => value !== undefined);
  return lines
    .map(
      ([key, value], at) =>
        `${indent}${at === 0 ? "- " : "  "}${key}: ${stringify(value, { lineWidth: 0 })}`,
    )
    .join("");
}

function noHost(hosts: YAMLSeq | undefined, name: string): BerthError {
  const names = (hosts?.items ?? []).flatMap((item) =>
    isMap(item) ? String(item.get("name")) : [],
  );
  return new BerthError("USAGE", {
    message: `There is no host ${name} in the configuration.`,
    remedy: names.length > 0 ? `There are: ${names.join(", ")}.` : "It names no hosts.",
  });
}

function indexOf(hosts: YAMLSeq, name: string): number | undefined {
  const at = hosts.items.findIndex((item) => isMap(item) && item.get("name") === name);
  return at < 0 ? undefined : at;
}

/** Where the lines of one entry begin and end, that with its dash included. */
function linesOf(text: string, hosts: YAMLSeq, index: number): { start: number; end: number } {
  const item = hosts.items[index];
  const [from = 0, to = 0] = (isNode(item) ? item.range : undefined) ?? [];
  const start = text.lastIndexOf("\n", text.lastIndexOf("-", from - 1)) + 1;
  if (text[to - 1] === "\n") return { start, end: to };
  const lineEnd = text.indexOf("\n", to);
  return { start, end: lineEnd < 0 ? text.length : lineEnd + 1 };
}

function withLineEnd(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}
