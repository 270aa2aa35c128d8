import type { CheckAnnotation, CheckRunState } from "./installation.ts";

/** GitHub takes so many annotations at once. */
export const ANNOTATIONS_A_REQUEST = 50;
/** GitHub says characters; bytes are the safe reading. */
const MAX_TEXT_BYTES = 65_535;
const MAX_MESSAGE_BYTES = 64 * 1024;
const MAX_TITLE_LENGTH = 255;
const MAX_ACTIONS = 3;
const CUT = "_The rest is left out: GitHub shows no more._";

/** A check run's fields as the API takes them, cut to what it takes. */
export function checkRequest(
  state: CheckRunState,
  annotations: readonly CheckAnnotation[] = [],
): { readonly [field: string]: unknown } {
  const { status, conclusion, title, summary, text, startedAtMs, completedAtMs, actions } = state;
  return {
    status,
    ...(conclusion !== undefined && { conclusion }),
    ...(startedAtMs !== undefined && { started_at: new Date(startedAtMs).toISOString() }),
    ...(completedAtMs !== undefined && { completed_at: new Date(completedAtMs).toISOString() }),
    output: {
      title: title.slice(0, MAX_TITLE_LENGTH),
      summary: cutMarkdown(summary),
      ...(text !== undefined && { text: cutMarkdown(text) }),
      ...(annotations.length > 0 && { annotations: annotations.map(annotationRequest) }),
    },
    actions: actions.slice(0, MAX_ACTIONS).map(({ label, description, identifier }) => ({
      label: label.slice(0, 20),
      description: description.slice(0, 40),
      identifier,
    })),
  };
}

/** Cut after a whole line where there is one, with a note that says so; a code block that is open there is closed. */
export function cutMarkdown(text: string, maxBytes: number = MAX_TEXT_BYTES): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  const closing = "\n```\n";
  const start = cutText(text, maxBytes - closing.length - CUT.length - 2);
  const end = start.lastIndexOf("\n");
  const kept = end > 0 ? start.slice(0, end) : start;
  const isInBlock = (kept.match(/^ {0,3}```/gm) ?? []).length % 2 === 1;
  return `${kept}${isInBlock ? closing : "\n"}\n${CUT}`;
}

function annotationRequest(annotation: CheckAnnotation): { readonly [field: string]: unknown } {
  const { path, level, message, title, startColumn, endColumn } = annotation;
  const startLine = Math.max(1, annotation.startLine);
  const endLine = Math.max(startLine, annotation.endLine);
  return {
    path: path === "" ? ".github" : path,
    start_line: startLine,
    end_line: endLine,
    // GitHub refuses columns of more than one line.
    ...(startLine === endLine && startColumn !== undefined && { start_column: startColumn }),
    ...(startLine === endLine && endColumn !== undefined && { end_column: endColumn }),
    annotation_level: level,
    // An empty message is refused.
    message: cutText(message, MAX_MESSAGE_BYTES) || " ",
    ...(title !== undefined && title !== "" && { title: title.slice(0, MAX_TITLE_LENGTH) }),
  };
}

/** At most so many bytes of UTF-8, never half a character. */
function cutText(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  let end = maxBytes;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end).toString();
}
