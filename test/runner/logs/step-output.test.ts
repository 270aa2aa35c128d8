import { describe, expect, it } from "@jest/globals";
import { aStep, messages } from "../commands/a-step.ts";

describe("what a process prints", () => {
  it("is masked from the line after add-mask, each of the value's lines too", () => {
    const { print, lines } = aStep();

    print("sesame", "::add-mask::sesame%0Asecond", "sesame second", "::error::sesame");

    expect(lines).toEqual(["sesame", "*** ***", "##[error]***"]);
  });

  it("is matched from the line after add-matcher, and the match stands in for the line", () => {
    const { print, lines, annotations } = aStep();

    print(
      "E: one",
      "::add-matcher::m.json",
      "E: \u001b[1mtwo",
      "fine",
      "::group::E: three",
      "E: four",
    );

    expect(lines).toEqual([
      "E: one",
      "##[error]E: two",
      "fine",
      "##[group]E: three",
      "##[error]E: four",
    ]);
    expect(messages(annotations)).toEqual(["error: two", "error: four"]);
  });

  it("may arrive in any pieces", () => {
    const text = "é::x\r\n::add-mask::sesäme\n ::group::sesäme\r##[warning]w\nend sesäme";
    const whole = aStep();
    whole.output.write(Buffer.from(text));
    whole.output.end();

    for (const size of [1, 2, 3, 5, 8]) {
      const { output, lines } = aStep();
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length; at += size) output.write(bytes.subarray(at, at + size));
      output.end();

      expect(lines).toEqual(whole.lines);
    }
    expect(whole.lines).toEqual(["é::x", "##[group]***", "##[warning]w", "end ***"]);
  });
});
