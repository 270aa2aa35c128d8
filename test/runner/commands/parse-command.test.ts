import { describe, expect, it } from "@jest/globals";
import { parseCommand } from "../../../runner/commands/parse-command.ts";

const parse = (line: string) => {
  const command = parseCommand(line, (name) => ["warning", "set-output", "group"].includes(name));
  return command && [command.name, Object.fromEntries(command.properties), command.data];
};

describe("a command in a line", () => {
  it.each([
    ["::warning::text", ["warning", {}, "text"]],
    [" \t::warning::text", ["warning", {}, "text"]],
    ["::warning::", ["warning", {}, ""]],
    ["::WARNING::text", ["warning", {}, "text"]],
    ["::warning file=a.ts,line=3::text", ["warning", { file: "a.ts", line: "3" }, "text"]],
    ["::warning  file=a.ts ::text", ["warning", { file: "a.ts" }, "text"]],
    ["::warning FILE=a,file=b::x", ["warning", { file: "b" }, "x"]],
    ["::warning ,,file=a,line,col=,=x,::x", ["warning", { file: "a" }, "x"]],
    ["::warning title=a=b::x", ["warning", { title: "a=b" }, "x"]],
    ["::warning::a::b::c", ["warning", {}, "a::b::c"]],
    ["::warning::a%0Ab%0Dc%25d", ["warning", {}, "a\nb\rc%d"]],
    ["::warning::%250A %3A%2C%3B%5D", ["warning", {}, "%0A %3A%2C%3B%5D"]],
    ["::warning title=a%3Ab%2Cc%0Ad%25::x", ["warning", { title: "a:b,c\nd%" }, "x"]],
    ["::warning title=%253A::x", ["warning", { title: "%3A" }, "x"]],
    ["::set-output name=x::  spaces stay ", ["set-output", { name: "x" }, "  spaces stay "]],
    ["##[warning]text", ["warning", {}, "text"]],
    ["before ##[warning]text", ["warning", {}, "text"]],
    ["##[warning file=a;line=3]text", ["warning", { file: "a", line: "3" }, "text"]],
    ["##[warning file=a%3Bb%5Dc]x%3By%5Dz%0A%25", ["warning", { file: "a;b]c" }, "x;y]z\n%"]],
    ["::nothing:: ##[group]yes", ["group", {}, "yes"]],
  ])("is read from %j", (line, command) => {
    expect(parse(line)).toEqual(command);
  });

  it.each([
    [""],
    ["plain"],
    ["x ::warning::text"],
    ["::warning"],
    [":warning::text"],
    ["::unknown::text"],
    ["::::text"],
    ["##[unknown]text"],
    ["##[warning"],
    ["#[warning]"],
    ["##[section]Starting"],
    ["std::vector<T>::push_back"],
  ])("is not in %j", (line) => {
    expect(parse(line)).toBeUndefined();
  });
});
