import { expect, it } from "@jest/globals";
import type { Annotation } from "../../../runner/job/job-event.ts";
import { createMasker } from "../../../runner/logs/mask.ts";
import { createStepLog } from "../../../runner/logs/step-log.ts";

function aLog(options: { debug?: boolean; secret?: string } = {}) {
  const lines: string[] = [];
  const annotations: Annotation[] = [];
  const masker = createMasker();
  masker.add(options.secret ?? "");
  const log = createStepLog({
    masker,
    debug: options.debug ?? false,
    sink: {
      lines: (more) => lines.push(...more),
      annotation: (annotation) => annotations.push(annotation),
    },
  });
  return { log, lines, annotations };
}

it("makes several lines of a text that holds several, each masked", () => {
  const { log, lines } = aLog({ secret: "pass\nword" });

  log.write("a\r\nb");
  log.write("<pass\nword>");
  log.write("");

  expect(lines).toEqual(["a", "b", "<***>", ""]);
});

it("tags every line of debug text, and is silent unless the step is debugged", () => {
  const quiet = aLog();
  const loud = aLog({ debug: true });

  quiet.log.debug("a\nb");
  loud.log.debug("a\nb");

  expect([quiet.lines, loud.lines]).toEqual([[], ["##[debug]a", "##[debug]b"]]);
});

it("records an annotation, masked, and writes it with its level", () => {
  const { log, lines, annotations } = aLog({ secret: "hidden" });

  log.annotate({ level: "warning", message: "a hidden\nb", title: "hidden", file: "hidden.ts" });

  expect(lines).toEqual(["##[warning]a ***", "b"]);
  expect(annotations).toEqual([
    { level: "warning", message: "a ***\nb", title: "***", file: "***.ts" },
  ]);
});

it("cuts the message of an annotation at 4,096 characters, after masking it, and not in the log", () => {
  const { log, lines, annotations } = aLog({ secret: "hidden" });

  log.annotate({ level: "error", message: `${"x".repeat(4090)}hidden and more` });

  expect(annotations[0]?.message).toBe(`${"x".repeat(4090)}*** an`);
  expect(lines).toEqual([`##[error]${"x".repeat(4090)}*** and more`]);
});

it("records ten annotations of each level, writes them all", () => {
  const { log, lines, annotations } = aLog();

  for (const level of ["notice", "warning", "error"] as const) {
    for (let i = 0; i < 12; i++) log.annotate({ level, message: `${i}` });
  }

  expect(annotations).toHaveLength(30);
  expect(lines).toHaveLength(36);
  expect(log.recorded).toEqual({ notice: 10, warning: 10, error: 10 });
});

it("goes on counting where an earlier life stopped", () => {
  const { log, annotations } = aLog();

  log.restore({ notice: 0, warning: 10, error: 9 });
  for (let i = 0; i < 2; i++) log.annotate({ level: "warning", message: "w" });
  for (let i = 0; i < 2; i++) log.annotate({ level: "error", message: "e" });

  expect(annotations.map(({ level }) => level)).toEqual(["error"]);
});
