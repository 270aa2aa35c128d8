import { expect, it } from "@jest/globals";
import { mountControlGroups } from "../../../src/hosts/control-groups.ts";
import { installPackages } from "../../../src/hosts/debian-packages.ts";

const signal = new AbortController().signal;

it("looks for the programs of packages before it installs anything", async () => {
  const there = installPackages("a test asks", [{ name: "dash", program: "sh" }]);
  const missing = installPackages("a test asks", [
    { name: "dash", program: "sh" },
    { name: "nothing", program: "berth-no-such-program" },
  ]);

  expect(await there.isDone(signal)).toBe(true);
  expect(await missing.isDone(signal)).toBe(false);
});

it("installs as root, without what is only recommended", () => {
  const { commands } = installPackages("a test asks", [{ name: "dash", program: "sh" }]);

  expect(commands.join("\n")).toMatch(/^env .* install -y --no-install-recommends dash$/m);
  expect(commands.join("\n")).not.toContain("sudo");
});

it("says how control groups are mounted", () => {
  expect(mountControlGroups().commands).toEqual(["mount -t cgroup2 cgroup2 /sys/fs/cgroup"]);
});
