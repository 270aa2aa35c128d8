import { optionError } from "./option-error.ts";

const MULTIPLES = ["", "k", "m", "g", "t", "p"];

/** Bytes from `512m`, `1.5GiB`, `64kb` or `1024`; multiples are of 1024, as Docker has them. */
export function readSize(text: string, option: string): number {
  const match = /^(\d+(?:\.\d*)?|\.\d+) ?(?:([kmgtp])(?:i?b)?|b)?$/i.exec(text);
  if (match === null) {
    throw optionError(option, text, "it is not a size", `Write ${option} like 512m, 2g or 1.5GiB.`);
  }
  const power = MULTIPLES.indexOf((match[2] ?? "").toLowerCase());
  return Math.trunc(Number(match[1]) * 1024 ** power);
}

/** Bytes, or -1 for "no limit". */
export function readSizeOrUnlimited(text: string, option: string): number {
  return text === "-1" ? -1 : readSize(text, option);
}

/** Billionths of a CPU from `1.5`. */
export function readCpus(text: string, option: string): number {
  const remedy = `Write ${option} like 2 or 0.5.`;
  if (!/^(\d+(\.\d*)?|\.\d+)$/.test(text)) {
    throw optionError(option, text, "it is not a number of CPUs", remedy);
  }
  const [whole = "", fraction = ""] = text.split(".");
  if (fraction.replace(/0+$/, "").length > 9) {
    throw optionError(option, text, "it has more than nine decimals", remedy);
  }
  return Number(whole) * 1e9 + Number(fraction.slice(0, 9).padEnd(9, "0"));
}

/** A whole number within bounds. */
export function readInteger(
  text: string,
  option: string,
  { min = -(2 ** 53), max = 2 ** 53 }: { min?: number; max?: number } = {},
): number {
  const value = /^[-+]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(value)) throw optionError(option, text, "it is not a whole number");
  if (value < min || value > max) {
    throw optionError(
      option,
      text,
      max === 2 ** 53 ? `the least is ${min}` : `it must lie between ${min} and ${max}`,
    );
  }
  return value;
}

/** What Go's flags take for true and false. */
export function readBoolean(text: string, option: string): boolean {
  if (["1", "t", "T", "true", "TRUE", "True"].includes(text)) return true;
  if (["0", "f", "F", "false", "FALSE", "False"].includes(text)) return false;
  throw optionError(option, text, "it is neither true nor false");
}

const NANOSECONDS: { readonly [unit: string]: number } = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Nanoseconds from a duration as Go writes it: `90s`, `1m30s`, `500ms`. */
export function readDurationNs(text: string, option: string): number {
  if (text === "0") return 0;
  if (!/^((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+$/.test(text)) {
    const remedy = `Write ${option} with a unit, like 10s or 1m30s.`;
    throw optionError(option, text, "it is not a duration", remedy);
  }
  const parts = text.matchAll(/([\d.]+)([a-zµμ]+)/g);
  return [...parts].reduce(
    (sum, [, n, unit]) => sum + Number(n) * (NANOSECONDS[unit ?? ""] ?? 0),
    0,
  );
}
