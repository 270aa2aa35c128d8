import type { AnnotationLevel } from "../../../runner/job/job-event.ts";
import type { CheckAnnotation } from "../../github/installation.ts";
import { cutBytes, cutText, oneLine } from "./check-markdown.ts";
import type { JobView, StepAnnotation } from "./job-view.ts";

/** GitHub's limits. */
const MAX_TITLE_CHARACTERS = 255;
const MAX_MESSAGE_BYTES = 64 * 1024 - 1;

const LEVELS = { notice: "notice", warning: "warning", error: "failure" } as const satisfies {
  [level in AnnotationLevel]: CheckAnnotation["level"];
};

/**
 * A job's annotations as a check run has them, in the order in which they were told. GitHub wants a file and a line: what belongs to no
 * file of the repository goes to `workflowFile`.
 */
export function checkAnnotations(view: JobView, workflowFile: string): CheckAnnotation[] {
  const names = new Map(view.steps.map(({ number, name }) => [number, name]));
  return view.annotations.map((one) => {
    const title = oneLine(one.title ?? names.get(one.step) ?? "");
    return {
      ...placeOf(one, workflowFile),
      level: LEVELS[one.level],
      message: messageOf(one),
      ...(title !== "" && { title: cutText(title, MAX_TITLE_CHARACTERS) }),
    };
  });
}

type Place = Pick<CheckAnnotation, "path" | "startLine" | "endLine" | "startColumn" | "endColumn">;

function placeOf(annotation: StepAnnotation, workflowFile: string): Place {
  const { file, startColumn, endColumn } = annotation;
  if (!isInRepository(file)) return { path: workflowFile, startLine: 1, endLine: 1 };
  const startLine = lineOf(annotation.startLine) ?? 1;
  const endLine = Math.max(startLine, lineOf(annotation.endLine) ?? startLine);
  const place = { path: file.replace(/^\.\//, ""), startLine, endLine };
  // GitHub takes columns only of what is on one line.
  const from = lineOf(startColumn);
  if (startLine !== endLine || from === undefined) return place;
  return { ...place, startColumn: from, endColumn: Math.max(from, lineOf(endColumn) ?? from) };
}

function messageOf({ message, file, startLine }: StepAnnotation): string {
  const text = message.trim() === "" ? "(no message)" : message;
  const isElsewhere = file !== undefined && file !== "" && !isInRepository(file);
  const place = startLine === undefined ? file : `${file}:${startLine}`;
  return cutBytes(isElsewhere ? `${place}: ${text}` : text, MAX_MESSAGE_BYTES);
}

function isInRepository(file: string | undefined): file is string {
  return (
    file !== undefined && file !== "" && !file.startsWith("/") && !file.split("/").includes("..")
  );
}

/** A line or column that GitHub would take. */
function lineOf(number: number | undefined): number | undefined {
  return number !== undefined && Number.isSafeInteger(number) && number >= 1 ? number : undefined;
}
