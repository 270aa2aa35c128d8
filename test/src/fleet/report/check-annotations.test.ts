import { expect, it } from "@jest/globals";
import type { Annotation } from "../../../../runner/job/job-event.ts";
import { checkAnnotations } from "../../../../src/fleet/report/check-annotations.ts";
import { told, viewOf } from "./told-job.ts";

const FILE = ".github/workflows/ci.yml";

function checked(annotation: Omit<Annotation, "level">) {
  const view = viewOf([
    told.step(1, "Lint"),
    told.annotation(1, { level: "error", ...annotation }),
  ]);
  return checkAnnotations(view, FILE)[0];
}

it("puts an annotation on its lines, with columns only within one line", () => {
  const place = { file: "./src/a.ts", startLine: 3, startColumn: 5 };

  expect(checked({ message: "m", title: "T", ...place })).toEqual({
    ...{ path: "src/a.ts", startLine: 3, endLine: 3, startColumn: 5, endColumn: 5 },
    ...{ level: "failure", message: "m", title: "T" },
  });
  expect(checked({ message: "m", ...place, endLine: 4, endColumn: 2 })).toEqual({
    ...{ path: "src/a.ts", startLine: 3, endLine: 4 },
    ...{ level: "failure", message: "m", title: "Lint" },
  });
});

it("puts what has no file in the repository to the workflow file", () => {
  expect(checked({ message: "m" })).toMatchObject({ path: FILE, startLine: 1, endLine: 1 });
  expect(checked({ message: "m", file: "/usr/lib/x.h", startLine: 7 })).toMatchObject({
    ...{ path: FILE, startLine: 1, message: "/usr/lib/x.h:7: m" },
  });
  expect(checked({ message: "m", file: "../x" })).toMatchObject({ path: FILE, message: "../x: m" });
});

it("makes of nonsense what GitHub takes", () => {
  const nonsense = { file: "a", startLine: 9, endLine: 2, startColumn: 9, endColumn: 1 };

  expect(checked({ message: " ", title: "x".repeat(300), ...nonsense })).toMatchObject({
    ...{ startLine: 9, endLine: 9, startColumn: 9, endColumn: 9, message: "(no message)" },
    title: `${"x".repeat(254)}…`,
  });
  expect(checked({ message: "m", file: "a", startLine: 0 })).toMatchObject({ startLine: 1 });
  const long = checked({ message: "ä".repeat(60_000) })?.message ?? "";
  expect(Buffer.byteLength(long)).toBeLessThan(65_536);
});
