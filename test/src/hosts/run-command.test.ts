import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { runCommand } from "../../../src/hosts/run-command.ts";

const signal = new AbortController().signal;

describe("runCommand", () => {
  it("returns what a program printed, and tells each line as it comes", async () => {
    const lines: string[] = [];

    const printed = await runCommand(["sh", "-c", "echo one; echo two >&2"], {
      signal,
      onLine: (line) => lines.push(line),
    });

    expect(printed).toBe("one\n");
    expect(lines.sort()).toEqual(["one", "two"]);
  });

  it("keeps exit code, stdout and stderr of a program that fails", async () => {
    const running = runCommand(["sh", "-c", "echo out; echo bad news >&2; exit 3"], { signal });

    await expect(running).rejects.toMatchObject({
      code: "SETUP_FAILED",
      message: expect.stringContaining("bad news"),
      cause: { exitCode: 3, stdout: "out\n", stderr: "bad news\n" },
    });
  });

  it("says which program could not be started", async () => {
    const running = runCommand(["berth-no-such-program", "--flag"], { signal });

    await expect(running).rejects.toMatchObject({
      code: "SETUP_FAILED",
      message: expect.stringContaining('"berth-no-such-program --flag" could not be started'),
    });
  });

  it("ends the program when it is aborted, and says nothing but that", async () => {
    const cancel = new AbortController();
    const running = runCommand(["sleep", "60"], { signal: cancel.signal });
    cancel.abort(new Error("enough"));

    await expect(running).rejects.toThrow("enough");
  });

  it("writes standard output to a file byte for byte", async () => {
    const folder = await mkdtemp(join(tmpdir(), "berth-test-"));

    await runCommand(["printf", "a\\000b"], { signal, stdoutFile: join(folder, "out") });

    expect(await readFile(join(folder, "out"))).toEqual(Buffer.from("a\0b"));
    await rm(folder, { recursive: true });
  });
});
