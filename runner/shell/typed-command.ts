import { createHash } from "node:crypto";
import { BerthError } from "../errors.ts";
import { CHUNK_BYTES, LINE_END } from "./preamble.ts";
import type { Command, ShellFacts } from "./shell.ts";

/** What is longer than this is taken as a whole by one process instead of being read byte by byte by two shells. */
const INLINE_BYTES = 500;
/** Variables and files beyond this travel beside the shell text, which would have to quote them. */
const BESIDE_BYTES = 16_384;
const KNOWN_FOLDERS = 64;
/** Collected files are removed this many at a time, since each time costs a process. */
const REMOVE_TOGETHER = 40;

/** The text of one command must not overwrite that of the one before it; see the preamble. */
const TEXT_SLOTS = 2;

/** A command as lines of shell text, and the long values that these refer to by their slot. */
export type TypedCommand = {
  readonly lines: readonly string[];
  readonly beside: readonly { readonly slot: number; readonly bytes: Buffer }[];
};

/** Turns commands into what must be typed, knowing what the shell on the other side remembers of those before. */
export type Typist = {
  /** Must see every command once and in order, those that are not typed again as well. */
  type(number: number, command: Command): TypedCommand;
  /** The last command was refused before the shell took in what it changes: the next one types all of it. */
  forget(): void;
};

/*
 * Text is held as one character per byte (latin1) until it is sent: file contents need not be UTF-8.
 */
export function createTypist(facts: Pick<ShellFacts, "env">): Typist {
  const carried = Object.entries(facts.env).filter(
    ([name]) => !isShellName(name) && !KEPT_BY_SHELL.has(name),
  );
  const slots = new Map<string, { slot: number; value: string; known: boolean }>();
  const leftBehind = new Set<string>();
  const typed = { exports: "", odd: "", collect: "[]", limits: "", names: "", token: "" };
  let collected: readonly string[] = [];
  const folders: string[] = [];

  const type = (number: number, command: Command): TypedCommand => {
    const lines: string[] = [];
    const beside: { slot: number; bytes: Buffer }[] = [];
    const putBeside = (bytes: Buffer): number => {
      const slot = TEXT_SLOTS + beside.length;
      beside.push({ slot, bytes });
      return slot;
    };

    const token = tokenOf(command);
    const isTokenNew = token !== "" && token !== typed.token;
    if (isTokenNew) {
      lines.push(`b_k=${token}`);
      typed.token = token;
    }
    /** Whether a value changes with the token alone: what stands for it need not be typed again. */
    const hasToken = (value: string): boolean =>
      token !== "" && value.length <= BESIDE_BYTES && value.includes(token);
    const text = (value: string): string =>
      hasToken(value)
        ? value
            .split(token)
            .map((part) => (part === "" ? "" : quote(latin1(part))))
            .join("$b_k")
        : quote(latin1(value));

    const known = (value: string): string => {
      if (value.length > 12) {
        for (const entry of slots.values())
          if (entry.known && entry.value === value) return `"$b_v${entry.slot}"`;
      }
      const folder = /^\/[^\n]{8,200}\//.exec(value)?.[0] ?? "";
      const place = folder === "" ? undefined : placeOf(folder);
      if (place === undefined) return text(value);
      return `"$b_d${place}"${text(value.slice(folder.length))}`;
    };
    /** Most paths of a command lie in a few folders, whose names need not be typed for every step. */
    const placeOf = (folder: string): number | undefined => {
      const at = folders.indexOf(folder);
      if (at >= 0 || folders.length === KNOWN_FOLDERS) return at >= 0 ? at : undefined;
      lines.push(`b_d${folders.length}=${quote(latin1(folder))}`);
      return folders.push(folder) - 1;
    };
    const remember = (name: string, value: string): number => {
      const entry = slots.get(name) ?? { slot: slots.size + 1, value: "", known: false };
      if (!entry.known || entry.value !== value) {
        const bytes = Buffer.from(value);
        if (bytes.length > BESIDE_BYTES) {
          lines.push(`b_g ${putBeside(bytes)}`, `b_v${entry.slot}=$b_got`, "b_got=");
        } else {
          lines.push(`b_v${entry.slot}=${known(value)}`);
        }
        slots.set(name, { slot: entry.slot, value, known: true });
      }
      return entry.slot;
    };
    const retype = (key: keyof typeof typed, code: string, how: (code: string) => string) => {
      if (typed[key] !== code) lines.push(how(code));
      typed[key] = code;
    };

    const sets: string[] = [];
    const unsets: string[] = [];
    const odd: string[] = [];
    for (const [name, value] of Object.entries({
      ...Object.fromEntries(carried),
      ...command.env,
    }).toSorted(byName)) {
      if (value === null) {
        if (isShellName(name)) unsets.push(name);
        else odd.push(`-u ${quote(latin1(name))}`);
      } else {
        const given = hasToken(value) ? known(value) : `"$b_v${remember(name, value)}"`;
        if (isShellName(name)) sets.push(`${name}=${given}`);
        else odd.push(`${quote(latin1(`${name}=`))}${given}`);
      }
    }
    const exports = [
      ...(sets.length > 0 ? [`export ${sets.join(" ")}`] : []),
      ...(unsets.length > 0 ? [`unset ${unsets.join(" ")}`] : []),
    ].join(";");
    retype("exports", exports, (code) => `b_x=${quote(code)}`);
    // `--` keeps a variable called `-u` from being an option; removals are options and come before it.
    const sorted = odd.toSorted(
      (a, b) => Number(b.startsWith("-u ")) - Number(a.startsWith("-u ")),
    );
    const removals = sorted.filter((word) => word.startsWith("-u ")).length;
    if (sorted.length > 0) sorted.splice(removals, 0, "--");
    retype("odd", sorted.join(" "), (code) => `b_o=${quote(code)}`);

    const collect = command.collect ?? [];
    const written = command.write ?? [];
    const paths = new Set([...collect, ...written].map(({ path }) => path));
    const limits = collect.map(({ limitBytes }) => ` ${limitBytes}`).join("");
    const names = collect.map(({ path }, index) => `b_f${index + 1}=${known(path)}`).join(" ");
    const collectKey = JSON.stringify(collect);
    if (typed.collect !== collectKey) {
      typed.collect = collectKey;
      for (const path of collected) leftBehind.add(path);
      collected = collect.map(({ path }) => path);
      if (typed.limits === limits && typed.names === names) lines.push("b_n");
      else {
        lines.push('eval "b_q $b_all"');
        retype("limits", limits, (code) => `b_a${code}`);
        retype("names", names, (code) => `b_cc=${quote(code)}`);
        lines.push('eval "$b_cc"');
      }
    }
    if (leftBehind.size >= REMOVE_TOGETHER || leftBehind.intersection(paths).size > 0) {
      lines.push("b_t");
      leftBehind.clear();
    }

    for (const { path, content, mode } of written) {
      const bytes = typeof content === "string" ? Buffer.from(content) : Buffer.from(content);
      const chmod = mode === undefined ? "" : ` ${mode.toString(8)}`;
      if (bytes.length > BESIDE_BYTES || bytes.includes(0)) {
        lines.push(`b_s ${known(path)} ${putBeside(bytes)}${chmod}`);
      } else {
        lines.push(`b_w ${known(path)} ${quote(bytes.toString("latin1"))}${chmod}`);
      }
    }

    const words = [command.cwd, ...command.argv].map(known);
    lines.push(`b_r ${number} ${words.join(" ")}`);
    return { lines, beside };
  };

  return {
    type,
    forget() {
      for (const entry of slots.values()) entry.known = false;
      folders.length = 0;
      typed.exports = typed.odd = typed.collect = typed.token = "?";
      typed.limits = typed.names = "?";
    },
  };
}

/** The lines to send for a typed command. They begin by ending whatever was cut off before them. */
export function commandBytes(
  head: { readonly epoch: number; readonly number: number; readonly hash: string },
  { lines, beside }: TypedCommand,
): Buffer {
  const { epoch, number, hash } = head;
  const inline = lines.join(";");
  if (beside.length === 0 && inline.length <= INLINE_BYTES && !/[\n\x1f]/.test(inline)) {
    return Buffer.from(`\ngo ${epoch} ${number} ${hash} ${inline}${LINE_END}\n`, "latin1");
  }
  const loads = [
    { slot: number % TEXT_SLOTS, bytes: Buffer.from(`${lines.join("\n")}\n`, "latin1") },
    ...beside,
  ];
  return Buffer.concat([
    ...loads.flatMap(({ slot, bytes }) => loadBytes({ epoch, number, slot }, bytes)),
    Buffer.from(`\nrun ${epoch} ${number} ${hash} ${LINE_END}\n`),
  ]);
}

function loadBytes(
  { epoch, number, slot }: { epoch: number; number: number; slot: number },
  bytes: Buffer,
): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    const chunk = bytes.subarray(at, at + CHUNK_BYTES);
    const order = at === 0 ? "first" : "next";
    chunks.push(
      Buffer.from(`\nload ${epoch} ${number} ${slot} ${chunk.length} ${order} ${LINE_END}\n`),
      chunk,
    );
  }
  return chunks;
}

/**
 * SHA-256 of all that a command is, hex.
 *
 * @param volatile Texts that another life of the job has others for; each counts as the same one.
 * @throws {BerthError} `INPUT_INVALID` when a part of it holds what no process can be given.
 */
export function hashCommand(command: Command, volatile: readonly string[] = []): string {
  refuseNul(command);
  const same = withConstants(volatile);
  const canonical = {
    argv: command.argv.map(same.text),
    cwd: same.text(command.cwd),
    env: Object.entries(command.env)
      .map(([name, value]): [string, unknown] => [name, value === null ? null : same.text(value)])
      .toSorted(byName),
    write: (command.write ?? []).map(({ path, content, mode }) => [
      path,
      createHash("sha256").update(same.content(content)).digest("hex"),
      mode ?? null,
    ]),
    collect: (command.collect ?? []).map(({ path, limitBytes }) => [path, limitBytes]),
  };
  return createHash("sha256").update(JSON.stringify(canonical)).digest("hex");
}

/** Of NULs, so that no text that a process is given can be mistaken for it or found within it. */
const CONSTANT = "\0\0";

function withConstants(volatile: readonly string[]) {
  // The longest first: it may have another in it.
  const texts = volatile.filter((text) => text !== "").toSorted((a, b) => b.length - a.length);
  const replace = (value: string, found: readonly string[]) =>
    found.reduce((text, one) => text.replaceAll(one, CONSTANT), value);
  return {
    text: (value: string) => replace(value, texts),
    content(value: string | Uint8Array): string | Uint8Array {
      if (texts.length === 0) return value;
      const bytes = replace(Buffer.from(value).toString("latin1"), texts.map(latin1));
      return Buffer.from(bytes, "latin1");
    },
  };
}

function refuseNul({ argv, cwd, env, write = [], collect = [] }: Command): void {
  for (const [name, value] of Object.entries(env)) {
    if (name === "" || name.includes("=") || name.includes("\0")) {
      throw invalid(
        `The name of the environment variable ${JSON.stringify(name)} is not possible.`,
      );
    }
    if (value?.includes("\0")) {
      throw invalid(`The value of the environment variable ${name} contains a NUL character.`);
    }
  }
  const others = [cwd, ...argv, ...[...write, ...collect].map(({ path }) => path)];
  const bad = others.find((text) => text.includes("\0"));
  if (bad !== undefined) throw invalid(`${JSON.stringify(bad)} contains a NUL character.`);
}

function invalid(message: string): BerthError {
  return new BerthError("INPUT_INVALID", {
    message,
    remedy: "No process can be started with it; encode the value, as base64 say.",
  });
}

function tokenOf({ token = "" }: Command): string {
  return /^[0-9A-Za-z]*$/.test(token) ? token : "";
}

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1;
}

/** Without a newline in it, so that it fits into one line. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''").replaceAll("\n", `'"$b_l"'`)}'`;
}

function latin1(text: string): string {
  return Buffer.from(text).toString("latin1");
}

/** Names that a shell can be given a value for without ending, warning, or meaning something else by it. */
function isShellName(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !SPECIAL_NAMES.test(name);
}

const SPECIAL_NAMES =
  /^(?:BASH.*|E?UID|PPID|SHELLOPTS|GROUPS|DIRSTACK|FUNCNAME|PIPESTATUS|S?RANDOM|SECONDS|EPOCH(?:SECONDS|REALTIME)|LINENO|HISTCMD|OPTIND|OPTARG|OPTERR|COMP_.*|IFS|PS[0-4]|PWD|OLDPWD|SHLVL|TMOUT|POSIXLY_CORRECT|HISTFILE|HISTSIZE|HISTFILESIZE|_|b_.*)$/;

/** Special names which every shell sets for its children by itself. */
const KEPT_BY_SHELL = new Set(["PWD", "OLDPWD", "SHLVL", "_"]);
