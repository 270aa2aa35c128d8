/** A word of a POSIX shell's, whatever is in it; what needs no quotes has none. */
export function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
