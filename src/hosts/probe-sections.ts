/** One part of what the probe's script printed. */
export type Section = {
  readonly text: string;
  /** `undefined` when the part never came to its end: it hung, or the connection broke. */
  readonly code: number | undefined;
};

/** All parts by name; those of one name one after the other. */
export type Sections = ReadonlyMap<string, readonly Section[]>;

/** Reads what the script printed, however much of it there is. */
export function readSections(output: string, nonce: string): Sections {
  const sections = new Map<string, Section[]>();
  for (const part of output.split(`${nonce} begin `).slice(1)) {
    const at = part.indexOf("\n");
    const name = at < 0 ? part : part.slice(0, at);
    const [text = "", end] = part.slice(name.length + 1).split(`${nonce} end `);
    const code = end === undefined ? undefined : Number.parseInt(end, 10);
    // The empty line before the end is the script's.
    const section = { text: text.replace(/\n$/, ""), code };
    sections.set(name, [...(sections.get(name) ?? []), section]);
  }
  return sections;
}

/** What a part printed; empty when there was none or it failed. */
export function textOf(sections: Sections, name: string): string {
  const [section] = sections.get(name) ?? [];
  return section?.code === 0 ? section.text : "";
}
