import { spawn } from "node:child_process";
import { once } from "node:events";
import { hostname } from "node:os";
import { expect, it } from "@jest/globals";
import { isOwnerAlive, thisOwner } from "../../../src/containers/owner.ts";

it("knows that this process lives", () => {
  expect(isOwnerAlive(thisOwner())).toBe(true);
});

it("knows that another process has taken a dead one's pid", async () => {
  const child = spawn("sleep", ["60"]);
  const [, , start = ""] = thisOwner().split(":");

  expect(isOwnerAlive(`${hostname()}:${child.pid}:${start}`)).toBe(false);
  child.kill();
  await once(child, "exit");
});

it.each([
  ["an earlier boot", `${hostname()}:${process.pid}:00000000/0/1`, false],
  ["a pid that nobody has", `${hostname()}:4000000:${thisOwner().split(":")[2]}`, false],
  ["another machine, which cannot be asked", "elsewhere:1:1/1/1", true],
  ["nobody", "", false],
])("%s", (_title, owner, alive) => {
  expect(isOwnerAlive(owner)).toBe(alive);
});
