import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "@jest/globals";
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
