const PLACEHOLDER = /\$\$\{|\$\{([^{}]*)\}/g;
const JOB_VALUE = /^(run_id|job|matrix\.[A-Za-z_][\w-]*)$/;

/**
 * Replaces each `${name}`. `$${` stands for a literal `${`; it stays as it is with `keepEscapes`, for a text that is
 * filled in again later. A name for which `valueFor` has `undefined` stays too.
 */
export function replacePlaceholders(
  text: string,
  valueFor: (name: string) => string | undefined,
  { keepEscapes = false }: { keepEscapes?: boolean } = {},
): string {
  return text.replace(PLACEHOLDER, (whole, name: string | undefined) => {
    if (name === undefined) return keepEscapes ? whole : "${";
    return valueFor(name) ?? whole;
  });
}

/** The names in a text's placeholders. */
export function placeholdersIn(text: string): string[] {
  return [...text.matchAll(PLACEHOLDER)].flatMap(([, name]) => name ?? []);
}

/** Whether a name stands for something that differs from job to job: `run_id`, `job`, `matrix.KEY`. */
export function isJobValue(name: string): boolean {
  return JOB_VALUE.test(name);
}

/** A text in which nothing is a placeholder any more. */
export function escapePlaceholders(text: string): string {
  // In a replacement `$$` is one `$`.
  return text.replaceAll("${", "$$${");
}

/** Every text in a tree of plain data, replaced by what `replace` makes of it. */
export function mapTexts(
  data: unknown,
  replace: (text: string, path: Path) => unknown,
  path: Path = [],
): unknown {
  if (typeof data === "string") return replace(data, path);
  if (Array.isArray(data)) {
    return data.map((item, index) => mapTexts(item, replace, [...path, index]));
  }
  if (typeof data !== "object" || data === null) return data;
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, mapTexts(value, replace, [...path, key])]),
  );
}

/** Keys and indexes from the top of a file to a value in it. */
export type Path = readonly PropertyKey[];
