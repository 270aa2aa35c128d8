import { describe, expect, it } from "@jest/globals";
import { replayEffects } from "../../../runner/commands/record-effects.ts";
import { aStep } from "./a-step.ts";

describe("coming back to a step", () => {
  it("gives the effects of a process again, without a word in the log", () => {
    const first = aStep({ allowUnsecureCommands: true });
    first.print(
      "::set-output name=a::b",
      "::save-state name=s::t",
      "::set-env name=E::f",
      "::add-path::/p",
      "::add-mask::sesame",
      "::echo::on",
      "::echo::nonsense",
      "::add-matcher::m.json",
      "::remove-matcher owner=x::",
      "::stop-commands::long-token",
      "::error::not a command",
    );
    const second = aStep();

    const stored = JSON.parse(JSON.stringify(first.handler.recorded));
    replayEffects(stored, {
      ...second.effects,
      setEcho: (on) => {
        second.step.echo = on;
      },
    });

    expect(second.happened).toEqual(first.happened);
    expect(second.step).toEqual(first.step);
    expect(second.lines).toEqual([]);
  });

  it("remembers no more than fits: what is too much fails, and masks still hide", () => {
    const { print, lines, happened, handler } = aStep();
    const value = "x".repeat(1 << 20);
    const prints = Array.from({ length: 9 }, (_, i) => `::set-output name=o${i}::${value}`);

    print(...prints, "::add-mask::sesame", "sesame");

    expect(
      happened.filter((effect) => Array.isArray(effect) && effect[0] === "output"),
    ).toHaveLength(7);
    expect(happened).toContain("fail");
    expect(lines.at(-1)).toBe("***");
    expect(JSON.stringify(handler.recorded).length).toBeLessThan(8.5 * 2 ** 20);
  });
});
