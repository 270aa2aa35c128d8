import { expect, it } from "@jest/globals";
import { configFolder, GITHUB } from "../config/config-folder.ts";
import { runBerth } from "./run-berth.ts";

it("says what it found in a good file", async () => {
  using folder = configFolder(
    `${GITHUB}hosts: [{ name: a, ssh: u@h, slots: 2 }, { name: b }]\nprofiles: { ml: {} }\n`,
  );

  const { code, stdout, stderr } = await runBerth(["validate"], { cwd: folder.root });

  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toBe(`berth.yml is valid.
  GitHub    https://github.com, App 1
  intake    webhook, HTTP on 127.0.0.1:8010
  hosts     a: over SSH, u@h, 2 jobs at once
            b: this machine, 1 job at once
  profiles  ml
  policy    *; forks: deny
`);
});

it("ends with 2 and all problems of a bad one", async () => {
  using folder = configFolder(`${GITHUB}lisen: 1\nhosts: 2\n`);

  const { code, stdout, stderr } = await runBerth(["validate"], { cwd: folder.root });

  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toBe(`berth.yml:4:1: unknown key lisen. Did you mean listen?
  lisen: 1
  ^
berth.yml:5:8: hosts must be a list, and is a number
  hosts: 2
         ^
`);
});

it("prints one JSON object", async () => {
  using folder = configFolder(`${GITHUB}hosts: 2\n`);
  folder.write("good.yml", GITHUB);
  const validate = async (file: string) => {
    const args = ["validate", "--json", "-c", file];
    const { code, stdout } = await runBerth(args, { cwd: folder.root });
    return { code, result: JSON.parse(stdout) as unknown };
  };

  expect(await validate("good.yml")).toEqual({
    code: 0,
    result: { ok: true, file: "good.yml", problems: [] },
  });
  expect(await validate("berth.yml")).toEqual({
    code: 2,
    result: {
      ok: false,
      file: "berth.yml",
      problems: [
        { file: "berth.yml", line: 4, column: 8, message: "hosts must be a list, and is a number" },
      ],
    },
  });
  expect(await validate("nope.yml")).toMatchObject({
    code: 2,
    result: { ok: false, problems: [{ message: expect.stringContaining("nope.yml") }] },
  });
});

it("says where it looked", async () => {
  using folder = configFolder("");
  folder.write("empty/.keep", "");

  const { code, stderr } = await runBerth(["validate"], {
    cwd: `${folder.root}/empty`,
    env: { HOME: folder.root, XDG_CONFIG_HOME: undefined },
  });

  expect(code).toBe(2);
  expect(stderr).toContain(`Looked for ${folder.root}/empty/berth.yml, ${folder.root}/.config/`);
});
