import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "@jest/globals";
import { hashCommand } from "../../../runner/shell/typed-command.ts";
import { makeJob, makePlace, run } from "./shells.ts";

const place = makePlace();
afterAll(() => place[Symbol.dispose]());

/** A command that shows a token which it was given in each way there is; with a large file, or value, it is typed length-delimited. */
function showing(token: string, { fileBytes = 10, valueBytes = 0, command = "" } = {}) {
  const path = join(place.folder, "token.txt");
  return {
    argv: [
      "sh",
      "-c",
      `printf '%s,' "$1" "$T" "$QUOTED" "$(printf %s "$LONG" | tail -c 5)"; tail -n 1 "$2"${command}`,
      "sh",
      token,
      path,
    ],
    env: { T: token, QUOTED: JSON.stringify({ token }), LONG: `${"x".repeat(valueBytes)}${token}` },
    write: [{ path, content: `${"x".repeat(fileBytes)}\n${token}` }],
  };
}

describe.each(place.shells)("$name", (kind) => {
  it.each([
    { fileBytes: 10, valueBytes: 0 },
    { fileBytes: 40_000, valueBytes: 0 },
    { fileBytes: 10, valueBytes: 20_000 },
  ])(
    "knows a command again that has another token, and types the new one ($fileBytes, $valueBytes)",
    async (sizes) => {
      await using job = makeJob(kind);
      const first = await job.open();
      await run(first, showing("old-1", sizes), { volatile: ["old-1"] });
      await first[Symbol.asyncDispose]();

      await using second = await job.open();
      const volatile = ["old-1", "new-2"];
      const replayed = await run(second, showing("new-2", sizes), { volatile });
      const typed = await run(second, showing("new-2", sizes), { volatile });

      expect([replayed.text, typed.text]).toEqual([
        "",
        'new-2,new-2,{"token":"new-2"},new-2,new-2',
      ]);
    },
  );

  it("tells another command", async () => {
    await using job = makeJob(kind);
    const first = await job.open();
    await run(first, showing("old-1"), { volatile: ["old-1"] });
    await first[Symbol.asyncDispose]();

    await using second = await job.open();
    const other = run(second, showing("new-2", { command: "; true" }), { volatile: ["new-2"] });

    await expect(other).rejects.toMatchObject({ code: "JOURNAL_MISMATCH" });
  });

  it("ends itself when its time is up", async () => {
    const limited = ["/bin/sh", "-c", 'exec "$@" 1', "sh", ...kind.argv];
    await using job = makeJob({ ...kind, argv: limited });
    await using shell = await job.open();

    await expect(run(shell, { argv: ["sleep", "60"] })).rejects.toMatchObject({
      code: "SHELL_LOST",
    });
  });
});

it("counts each volatile text as the same one, whichever it is", () => {
  const command = (token: string) => ({ cwd: tmpdir(), ...showing(token) });
  const hash = (token: string, volatile: string[]) => hashCommand(command(token), volatile);

  expect(hash("a", ["a"])).toBe(hash("ab", ["a", "ab"]));
  expect(hash("ab", ["a", "ab"])).not.toBe(hash("ab", ["a"]));
  expect(hash("a", [])).not.toBe(hash("b", []));
});

it("refuses a shell of another version in clear words", async () => {
  const [dash] = place.shells;
  if (dash === undefined) throw new Error("no shell");
  const older =
    'flag=$2; text=$(printf %s "$3" | sed "s/^b_facts=.version .*/b_facts=\\"version 0/"); program=$1; shift 3; exec "$program" "$flag" "$text" "$@"';
  await using job = makeJob({ ...dash, argv: ["/bin/sh", "-c", older, "sh", ...dash.argv] });

  await expect(job.open()).rejects.toMatchObject({
    code: "SHELL_PROTOCOL",
    message: expect.stringContaining("another version of Berth's protocol"),
    remedy: expect.stringContaining("run it again"),
  });
});
