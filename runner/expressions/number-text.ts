/**
 * A number as expressions print it: at most 15 significant digits, no trailing zeros, exponents as `1E+21`.
 * (GitHub's runner is written in C# and formats with `G15`.)
 */
export function numberToText(value: number): string {
  if (value === 0) return "0";
  if (!Number.isFinite(value)) return String(value);
  const [mantissa = "", exponentText = "0"] = value.toExponential(14).split("e");
  const exponent = Number(exponentText);
  if (exponent > -5 && exponent < 15) return String(Number(value.toPrecision(15)));

  const sign = exponent < 0 ? "-" : "+";
  const digits = String(Math.abs(exponent)).padStart(2, "0");
  return `${mantissa.replace(/\.?0+$/, "")}E${sign}${digits}`;
}

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** What a string counts as where a number is needed; NaN when it is none. Hexadecimal and octal are 32 bits wide. */
export function textToNumber(text: string): number {
  const trimmed = text.trim();
  if (trimmed === "") return 0;
  if (DECIMAL.test(trimmed)) return Number(trimmed);
  if (/^0x[0-9a-fA-F]+$/.test(trimmed)) return to32Bits(Number.parseInt(trimmed.slice(2), 16));
  if (/^0o[0-7]+$/.test(trimmed)) return to32Bits(Number.parseInt(trimmed.slice(2), 8));
  if (trimmed === "Infinity") return Number.POSITIVE_INFINITY;
  if (trimmed === "-Infinity") return Number.NEGATIVE_INFINITY;
  return Number.NaN;
}

function to32Bits(value: number): number {
  return value > 0xff_ff_ff_ff ? Number.NaN : value | 0;
}
