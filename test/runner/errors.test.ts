import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "@jest/globals";
import { BerthError, ERROR_CODES } from "../../runner/errors.ts";
import { describeError, exitCodeOf } from "../../src/cli/print-error.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/errors.md"), "utf8");
const sections = page.split(/^## /m).slice(1);

it("has one section in docs/errors.md for each code, and no other", () => {
  const titles = sections.map((section) => section.split("\n")[0]);

  expect(titles.toSorted()).toEqual([...ERROR_CODES].sort());
});

it("has the exit codes that docs/errors.md names", () => {
  const documented = sections.map((section) => {
    const code = section.split("\n")[0] ?? "";
    return [code, Number(/^Exit code (\d+)\./m.exec(section)?.[1] ?? 1)];
  });

  const actual = ERROR_CODES.map((code) => [
    code,
    exitCodeOf(new BerthError(code, { message: "" }), { isInterrupted: false }),
  ]);

  expect(documented.toSorted()).toEqual(actual.toSorted());
});

it("prints what happened and what to do, and a place at the start of a line as it is", () => {
  const usage = new BerthError("USAGE", { message: "Wrong.", remedy: "Do this." });
  const invalid = new BerthError("WORKFLOW_INVALID", { message: "a.yml:1:2: bad\n  line" });

  expect(describeError(usage, { withStack: false })).toBe("berth: Wrong.\nDo this.");
  expect(describeError(invalid, { withStack: false })).toBe("a.yml:1:2: bad\n  line");
});

it("shows stack and causes only when asked", () => {
  const cause = new Error("below");
  const error = new BerthError("ENGINE_LOST", { message: "Gone.", cause });

  expect(describeError(error, { withStack: false })).toBe("berth: Gone.");
  expect(describeError(error, { withStack: true })).toMatch(
    /\[ENGINE_LOST\]\ncaused by:\nError: below\n\s+at /,
  );
});
