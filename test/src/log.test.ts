import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "@jest/globals";
import { BerthError } from "../../runner/errors.ts";
import { createLog } from "../../src/log.ts";

for (const format of ["text", "json"] as const) {
  it(`writes ${format} without secrets, and leaves its stream open`, async () => {
    const out = new PassThrough();
    const mask = (line: string) => line.replaceAll("s3cret", "***");
    const log = createLog({ level: "info", format, out, mask });

    log.info({ job: "build", token: "s3cret" }, "job started");
    log.debug("not told");
    while (out.readableLength === 0) await turn();
    out.end();
    const written = await text(out);

    expect(written.split("\n")).toHaveLength(2);
    expect(written).toMatch(/job started.*\*\*\*|\*\*\*.*job started/);
    expect(written).not.toContain("s3cret");
  });
}

it("says of an error why it is and what to do, in its line, and shows the stack at debug only", async () => {
  const error = new BerthError("STORE_UNUSABLE", { message: "No space.", remedy: "Make some." });
  const tell = async (level: "info" | "debug", format: "text" | "json") => {
    const out = new PassThrough();
    const log = createLog({ level, format, out, mask: (line) => line });
    log.error({ err: error, error: new Error("inner") }, "failed");
    while (out.readableLength === 0) await turn();
    out.end();
    return await text(out);
  };

  const [forPeople, json, debug] = await Promise.all([
    tell("info", "text"),
    tell("info", "json"),
    tell("debug", "json"),
  ]);

  expect(forPeople).toMatch(/^\[.*\] ERROR: failed \{.*"why":"No space\. Make some\.".*\}\n$/);
  expect(JSON.parse(json)).toMatchObject({ err: "No space. Make some.", error: "inner" });
  expect(JSON.parse(debug)).toMatchObject({ err: { stack: expect.stringContaining("at ") } });
});
