import { execFileSync } from "node:child_process";
import { expect, it } from "@jest/globals";
import { quote } from "../../runner/quote.ts";

it.each(["plain-1.2/x", "", " ", "a'b", "~/x", "a:~b", '$HOME `id` $(id) \\ " ! *', "one\ntwo"])(
  "gives a shell the word %j as it is",
  (word) => {
    const said = execFileSync("/bin/sh", [
      "-c",
      `word=${quote(word)}; printf '%s|%s' "$word" ${quote(word)}`,
    ]);

    expect(said.toString()).toBe(`${word}|${word}`);
  },
);
