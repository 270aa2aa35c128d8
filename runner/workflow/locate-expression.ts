type Place = { readonly line: number; readonly column: number };

/** A text over several lines: where it begins and ends in the file, and what it says without indentation and folds. */
export type TextBlock = { readonly start: Place; readonly endLine: number; readonly value: string };

/**
 * Where an expression really stands. The template reader counts lines and columns in the value of a text, which differ from the
 * file's by indentation and folding; the expressions are the same ones in the same order.
 */
export function locateExpression(
  reported: Place,
  blocks: readonly TextBlock[],
  text: string,
): Place {
  const block = blocks.find(
    ({ start, endLine }) => start.line < reported.line && reported.line <= endLine,
  );
  if (!block) return reported;
  const valueLines = block.value.split("\n").slice(0, reported.line - block.start.line);
  const last = valueLines.pop() ?? "";
  const before = [...valueLines, last.slice(0, reported.column - 1)].join("\n");
  let toSkip = before.split("${{").length - 1;

  for (const [index, content] of text.split(/\r\n|\n|\r/).entries()) {
    const line = index + 1;
    if (line < block.start.line || line > block.endLine) continue;
    const from = line === block.start.line ? block.start.column - 1 : 0;
    for (let at = content.indexOf("${{", from); at >= 0; at = content.indexOf("${{", at + 1)) {
      if (toSkip-- === 0) return { line, column: at + 1 };
    }
  }
  return reported;
}
