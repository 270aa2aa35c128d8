import { describe, expect, it } from "@jest/globals";
import { aJob, ex, mapping, run } from "./job-fixture.ts";

function completeLines(events: Awaited<ReturnType<typeof run>>["events"]): string[] {
  const last = Math.max(...events.map((event) => ("step" in event ? event.step : 0)));
  return events.flatMap((event) =>
    event.type === "log" && event.step === last ? [event.line] : [],
  );
}

describe("completing a job", () => {
  it("sets outputs, but neither empty nor secret ones", async () => {
    const { result, events } = await run(
      aJob([{ id: "one", run: 'echo "a=1" >> "$GITHUB_OUTPUT"; exit 1' }], {
        secrets: { TOKEN: "s3cret" },
        outputs: mapping({
          a: ex("steps.one.outputs.a"),
          empty: ex("steps.one.outputs.none"),
          leak: ex("format('my {0}', secrets.TOKEN)"),
        }),
      }),
    );

    expect(result).toEqual({ conclusion: "failure", outputs: { a: "1" } });
    expect(completeLines(events)).toEqual([
      "Evaluate and set job outputs",
      "Set output 'a'",
      "##[warning]Skip output 'leak' since it may contain secret.",
      "Cleaning up orphan processes",
    ]);
  });

  it.each([
    ["that cannot be evaluated", ex("fromJSON('{')")],
    ["that are too large", ex("format('{0}{0}{0}{0}{0}{0}', steps.one.outputs.big)")],
  ])("fails the job over outputs %s", async (...[, a]) => {
    const big = `printf 'big=%0100000d\\n' 0 >> "$GITHUB_OUTPUT"`;
    const { result, annotations } = await run(
      aJob([{ id: "one", run: big }], { outputs: mapping({ a }) }),
    );

    expect(result.conclusion).toBe("failure");
    expect(annotations).toEqual([expect.stringMatching(/^error: Fail to evaluate job outputs/)]);
  });

  it("evaluates the url of the environment", async () => {
    const { events } = await run(
      aJob([{ id: "one", run: 'echo "host=example.test" >> "$GITHUB_OUTPUT"' }], {
        environment: mapping({
          name: "live",
          url: ex("format('https://{0}', steps.one.outputs.host)"),
        }),
      }),
    );

    expect(completeLines(events)).toContain("Evaluated environment url: https://example.test");
  });

  it("ends what steps left running, unless it opted out", async () => {
    const { events } = await run(
      aJob([
        { run: "sleep 300 &\nRUNNER_TRACKING_ID= sleep 2 > /dev/null 2>&1 &" },
        { run: "echo on" },
      ]),
    );

    expect(completeLines(events)).toEqual([
      "Cleaning up orphan processes",
      expect.stringMatching(/^Terminate orphan process: pid \(\d+\) \(sleep\)$/),
    ]);
  });
});
