import { BerthError } from "../errors.ts";
import { PROTOCOL_VERSION } from "./preamble.ts";
import type { ShellFacts } from "./shell.ts";

/**
 * Reads what a shell says about its place: lines `name value`, then a line `env` and the environment, each entry
 * ended by NUL. An entry without its end was cut off at the limit and is left out.
 *
 * @throws {BerthError} `SHELL_PROTOCOL` when it is not that, or comes from another version of the shell program.
 */
export function readFacts(content: Buffer): ShellFacts {
  const marker = "\nenv\n";
  const at = content.indexOf(marker);
  const lines = content.toString("utf8", 0, Math.max(at, 0)).split("\n");
  const words = lines.map((line) => line.split(" "));
  const value = (name: string) => words.find(([first]) => first === name)?.[1] ?? "";
  if (at === -1 || value("version") !== String(PROTOCOL_VERSION)) {
    throw new BerthError("SHELL_PROTOCOL", {
      message: "The shell in the job's container speaks another version of Berth's protocol.",
      remedy:
        "The container was made by another version of Berth; cancel this job and run it again.",
    });
  }

  const env = readEnvironment(content.toString("utf8", at + marker.length));
  const libc = value("libc");
  return {
    uid: Number(value("uid")),
    gid: Number(value("gid")),
    home: env.HOME ?? "/",
    path: env.PATH ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    arch: value("arch"),
    libc: libc === "glibc" || libc === "musl" ? libc : "unknown",
    programs: Object.fromEntries(
      words
        .filter(([first]) => first === "program")
        .map(([, name = "", ...path]) => [name, path.join(" ")]),
    ),
    env,
  };
}

function readEnvironment(text: string): { [name: string]: string } {
  return Object.fromEntries(
    text
      .split("\0")
      .slice(0, -1)
      .filter((entry) => entry.indexOf("=") > 0)
      .map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]),
  );
}
