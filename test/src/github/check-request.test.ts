import { expect, it } from "@jest/globals";
import { cutMarkdown } from "../../../src/github/check-request.ts";

it("leaves a text that fits as it is", () => {
  expect(cutMarkdown("ü".repeat(10), 20)).toBe("ü".repeat(10));
});

it("cuts at a line, says so, and closes a code block that is open there", () => {
  const cut = cutMarkdown(`\`\`\`\n${"line\n".repeat(50)}`, 200);

  expect(cut).toMatch(/line\n```\n\n_The rest is left out: GitHub shows no more\._$/);
  expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(200);
});

it("never cuts a character in half", () => {
  expect(cutMarkdown("€".repeat(100), 150)).toMatch(/^€+\n\n_The rest/);
});
