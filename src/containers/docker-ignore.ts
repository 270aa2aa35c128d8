import { BerthError } from "../../runner/errors.ts";

/** Decides for the files of one build's context, whose `.dockerignore` a stranger may have written. */
export type DockerIgnore = {
  /** Whether a file is left out. `name` is relative to the context, without a slash at either end. */
  ignores(name: string): boolean;
};

/**
 * Steps of matching for one context, a few seconds of them; ten thousand files and thirty patterns with `**` need a tenth. Patterns as regular
 * expressions would take a hostile file for ever, and everything else in this process with it.
 */
const MAX_STEPS = 1_000_000_000;

/**
 * Reads a `.dockerignore` by Docker's rules (`patternmatcher` of moby): the last pattern that matches a name or a folder above it decides,
 * `!` brings back, `**` stands for any number of folders.
 *
 * @throws {BerthError} From `ignores`: `ACTION_BUILD_FAILED` when deciding takes too long.
 */
export function readDockerIgnore(text: string, maxSteps = MAX_STEPS): DockerIgnore {
  const patterns = text
    .replace(/^\uFEFF/, "")
    .split("\n")
    .flatMap(readPattern);
  let steps = 0;

  return {
    ignores(name) {
      let isIgnored = false;
      for (const { tokens, isException } of patterns) {
        if (isException !== isIgnored) continue; // it could change nothing
        const match = matchPrefix(tokens, name);
        steps += match.steps + 1;
        if (steps > maxSteps) throw takesTooLong();
        if (match.matches) isIgnored = !isException;
      }
      return isIgnored;
    },
  };
}

type Pattern = { readonly tokens: readonly Token[]; readonly isException: boolean };

type Token =
  /** One character. */
  | { readonly kind: "one"; takes(character: string): boolean }
  /** Any number of characters, slashes only in `any`. */
  | { readonly kind: "some" | "any" }
  /** What follows, up to this many tokens on, may be left out. */
  | { readonly kind: "maybe"; readonly length: number };

function readPattern(line: string): Pattern[] {
  if (line.startsWith("#")) return [];
  const trimmed = line.trim();
  const isException = trimmed.startsWith("!");
  const path = cleanPath(isException ? trimmed.slice(1).trim() : trimmed);
  return path === "" ? [] : [{ tokens: readTokens(path), isException }];
}

/** As Go's `filepath.Clean`, without the slash that Docker takes off the front. */
function cleanPath(path: string): string {
  const kept: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") kept.push(part);
    else if (kept.length > 0 && kept.at(-1) !== "..") kept.pop();
    else if (!path.startsWith("/")) kept.push(part);
  }
  return kept.join("/");
}

function readTokens(path: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < path.length; ) {
    if (path.startsWith("**", at)) {
      at += path[at + 2] === "/" ? 3 : 2;
      if (at >= path.length) tokens.push({ kind: "any" });
      else tokens.push({ kind: "maybe", length: 2 }, { kind: "any" }, exactly("/"));
      continue;
    }
    const set = path[at] === "[" ? readSet(path, at) : undefined;
    if (set !== undefined) {
      tokens.push(set.token);
      at = set.end;
      continue;
    }
    const isEscape = path[at] === "\\" && at + 1 < path.length;
    tokens.push(isEscape ? exactly(path[at + 1] ?? "") : readCharacter(path[at] ?? ""));
    at += isEscape ? 2 : 1;
  }
  return tokens;
}

function readCharacter(character: string): Token {
  if (character === "*") return { kind: "some" };
  if (character === "?") return { kind: "one", takes: (found) => found !== "/" };
  return exactly(character);
}

function exactly(character: string): Token {
  return { kind: "one", takes: (found) => found === character };
}

/** `[a-z]`, `[^a-z]`; `undefined` where nothing closes it. */
function readSet(path: string, start: number): { token: Token; end: number } | undefined {
  const isNegated = path[start + 1] === "^";
  const ranges: { readonly from: string; readonly to: string }[] = [];
  for (let at = start + (isNegated ? 2 : 1); at < path.length; ) {
    if (path[at] === "]" && ranges.length > 0) {
      const takes = (found: string) =>
        found !== "/" && ranges.some(({ from, to }) => from <= found && found <= to) !== isNegated;
      return { token: { kind: "one", takes }, end: at + 1 };
    }
    const from = readMember(path, at);
    const isRange = path[from.end] === "-" && path[from.end + 1] !== "]";
    const to = isRange ? readMember(path, from.end + 1) : from;
    ranges.push({ from: from.character, to: to.character });
    at = to.end;
  }
  return undefined;
}

function readMember(path: string, at: number): { character: string; end: number } {
  const start = path[at] === "\\" ? at + 1 : at;
  return { character: path[start] ?? "", end: start + 1 };
}

/** Whether tokens match a name or a folder above it: all ways to match are followed at once, a character at a time. */
function matchPrefix(
  tokens: readonly Token[],
  name: string,
): { readonly matches: boolean; readonly steps: number } {
  let places = new Uint8Array(tokens.length + 1); // 1 where the pattern may have got to; all lie from `first` to `last`
  let following = new Uint8Array(tokens.length + 1);
  let [first, last, steps] = [0, 0, 0];
  places[0] = 1;
  for (let at = 0; ; at++) {
    const character = name[at];
    const from = first;
    first = tokens.length + 1;
    let reached = -1;
    for (let place = from; place <= last; place++) {
      if (places[place] === 0) continue;
      places[place] = 0;
      const token = tokens[place];
      if (token === undefined) {
        if (character === undefined || character === "/") return { matches: true, steps };
        continue;
      }
      let to = -1;
      if (token.kind === "one") {
        if (character !== undefined && token.takes(character)) to = place + 1;
      } else {
        const skipped = token.kind === "maybe" ? place + 1 + token.length : place + 1;
        places[place + 1] = 1;
        places[skipped] = 1;
        last = Math.max(last, skipped);
        if (token.kind === "any" || (token.kind === "some" && character !== "/")) to = place;
      }
      if (to < 0) continue;
      following[to] = 1;
      first = Math.min(first, to);
      reached = Math.max(reached, to);
    }
    steps += last - from + 1;
    if (reached < 0 || character === undefined) return { matches: false, steps };
    last = reached;
    [places, following] = [following, places];
  }
}

function takesTooLong(): BerthError {
  return new BerthError("ACTION_BUILD_FAILED", {
    message: "The .dockerignore of the docker action takes too long to apply to its files.",
    remedy: "Write its patterns with fewer stars, or have fewer files beside the Dockerfile.",
  });
}
