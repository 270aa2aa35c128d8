import { describe, expect, it } from "@jest/globals";
import { showSetup } from "../../../src/cli/setup-progress.ts";
import type { SetupEvent } from "../../../src/hosts/setup-step.ts";

const started: SetupEvent = {
  type: "step_started",
  name: "Build it",
  why: "Jobs run in it.",
  commands: ["docker build ."],
};

describe("how a set-up is shown", () => {
  it("says nothing about what was there already", () => {
    expect(shown([{ type: "step_present", name: "Build it" }])).toBe("");
  });

  it("says what is run, why, and how long it took", () => {
    const text = shown([started, { type: "step_done", name: "Build it", ms: 1234 }]);

    expect(text).toBe("· Build it: Jobs run in it.\n    docker build .\n✓ Build it (1.2 s)\n");
  });

  it("marks the step that failed", () => {
    const text = shown([started, { type: "step_failed", name: "Build it", ms: 50 }]);

    expect(text).toContain("✗ Build it (0.1 s)\n");
  });

  it("moves no cursor where nobody looks", () => {
    const line = "\u001b[32mfetching\u001b[0m";
    const text = shown([started, { type: "step_progress", name: "Build it", line }]);

    expect(text).not.toContain("\u001b");
    expect(text).not.toContain("\r");
  });
});

function shown(events: readonly SetupEvent[]): string {
  let text = "";
  using progress = showSetup({
    write(more) {
      text += more;
    },
  });
  for (const event of events) progress.report(event);
  return text;
}
