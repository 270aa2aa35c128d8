import { quote } from "../../../runner/quote.ts";

/** A command that writes a text file as a person would, and a check that the file says so. */
export function writeFileCommand(
  file: string,
  { text, sudo = "" }: { readonly text: string; readonly sudo?: "" | "sudo " },
): { readonly command: string; readonly check: string } {
  const target = sudo === "" ? `cat > ${quote(file)}` : `sudo tee ${quote(file)} >/dev/null`;
  return {
    command: `${target} <<'END'\n${text}END`,
    check: `printf %s ${quote(text)} | cmp -s - ${quote(file)}`,
  };
}
