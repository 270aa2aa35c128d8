const MULTIPLES = ["", "k", "m", "g", "t", "p"];

/** Bytes from `16g`, `16GB`, `1.5GiB`, `512m` or `1024`, multiples of 1024 as Docker's parser has them; `undefined` when it is no size. */
export function readSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d*)?|\.\d+) ?(?:([kmgtp])(?:i?b)?|b)?$/i.exec(text);
  if (match === null) return undefined;
  const power = MULTIPLES.indexOf((match[2] ?? "").toLowerCase());
  const bytes = Math.trunc(Number(match[1]) * 1024 ** power);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** `23.5 GiB`; whole numbers stay whole, and nothing is rounded up to more than there is. */
export function formatSize(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  const power = Math.min(
    units.length - 1,
    Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)),
  );
  const amount = Math.floor((bytes / 1024 ** power) * 10) / 10;
  return `${amount} ${units[power]}`;
}
