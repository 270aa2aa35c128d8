import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { sessionProgram } from "../../../runner/shell/session-program.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-session-"));
const program = join(folder, "session");

beforeAll(() => {
  writeFileSync(program, sessionProgram(process.arch === "arm64" ? "arm64" : "x64"));
  chmodSync(program, 0o755);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("begins a session and becomes the program, with its arguments and environment", () => {
  const script = 'cat /proc/$$/stat; echo "$$ $#: $1, $2, $GREETING"';

  const output = execFileSync(program, ["/bin/sh", "-c", script, "sh", "a b", ""], {
    env: { GREETING: "hello" },
    encoding: "utf8",
  });

  const [stat = "", said = ""] = output.split("\n");
  const [, , group, session] = (stat.split(") ")[1] ?? "").split(" ");
  const pid = said.split(" ")[0];
  expect([group, session]).toEqual([pid, pid]);
  expect(said).toBe(`${pid} 2: a b, , hello`);
});

it("hands on the exit code, and ends with 126 when there is nothing to become", () => {
  expect(spawnSync(program, ["/bin/sh", "-c", "exit 7"]).status).toBe(7);
  expect(spawnSync(program, [join(folder, "missing")]).status).toBe(126);
  expect(spawnSync(program, []).status).toBe(126);
});

it("needs no other file and fits a page", () => {
  const bytes = readFileSync(program);
  expect(bytes.length).toBeLessThan(4096);
  expect(bytes.includes("/lib")).toBe(false);
});
