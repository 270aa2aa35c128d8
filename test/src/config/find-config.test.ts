import { expect, it } from "@jest/globals";
import { findConfig } from "../../../src/config/find-config.ts";
import { configFolder } from "./config-folder.ts";

it("prefers the current folder's file to the user's", () => {
  using folder = configFolder("");
  const options = { cwd: folder.root, env: {}, home: `${folder.root}/home` };
  folder.write("home/.config/berth/berth.yml", "");

  const here = findConfig(undefined, options);
  const elsewhere = findConfig(undefined, { ...options, cwd: `${folder.root}/home` });

  expect(here).toBe("berth.yml");
  expect(elsewhere).toBe(`${folder.root}/home/.config/berth/berth.yml`);
});

it("looks into XDG_CONFIG_HOME, where it is an absolute path", () => {
  using folder = configFolder("");
  folder.write("xdg/berth/berth.yml", "");
  const options = { cwd: `${folder.root}/xdg`, home: "/nowhere" };
  const find = (XDG_CONFIG_HOME: string) =>
    findConfig(undefined, { ...options, env: { XDG_CONFIG_HOME } });

  expect(find(`${folder.root}/xdg`)).toBe(`${folder.root}/xdg/berth/berth.yml`);
  expect(() => find("xdg")).toThrow("/nowhere/.config/berth/berth.yml");
});

it("says where a file that is named should have been", () => {
  const find = () => findConfig("my.yml", { cwd: "/nowhere", env: {}, home: "/" });

  expect(find).toThrow("There is no configuration at /nowhere/my.yml.");
});
