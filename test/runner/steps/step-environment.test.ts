import { describe, expect, it } from "@jest/globals";
import { stepEnvironment } from "../../../runner/steps/step-environment.ts";

const facts = {
  uid: 0,
  gid: 0,
  home: "/root",
  path: "/usr/bin:/bin",
  arch: "x86_64",
  libc: "glibc" as const,
  programs: {},
  env: {},
};
const nothing = {
  env: {},
  addedPath: [],
  github: {},
  runner: {},
  facts,
  home: undefined,
  trackingId: "github_1",
};

describe("the environment of a step", () => {
  it.each([
    ["CI and GITHUB_ACTIONS are true", {}, { CI: "true", GITHUB_ACTIONS: "true" }],
    ["CI may be changed", { env: { CI: "false" } }, { CI: "false" }],
    ["CI of the container stays", { facts: { ...facts, env: { CI: "1" } } }, { CI: undefined }],
    ["GITHUB_ACTIONS may not", { env: { GITHUB_ACTIONS: "false" } }, { GITHUB_ACTIONS: "true" }],
    [
      "GITHUB_* win over env",
      { env: { GITHUB_SHA: "x", GITHUB_MINE: "y" }, github: { sha: "abc", event: {} } },
      { GITHUB_SHA: "abc", GITHUB_MINE: "y", GITHUB_EVENT: undefined },
    ],
    [
      "booleans become text",
      { github: { ref_protected: false } },
      { GITHUB_REF_PROTECTED: "false" },
    ],
    ["the token is no variable", { github: { token: "t" } }, { GITHUB_TOKEN: undefined }],
    ["refs of pull requests are empty elsewhere", {}, { GITHUB_HEAD_REF: "", GITHUB_BASE_REF: "" }],
    ["RUNNER_* win", { env: { RUNNER_OS: "x" }, runner: { os: "Linux" } }, { RUNNER_OS: "Linux" }],
    ["PATH is the container's", {}, { PATH: undefined }],
    ["PATH grows at its front", { addedPath: ["/b", "/a"] }, { PATH: "/b:/a:/usr/bin:/bin" }],
    ["PATH of env is the base", { env: { PATH: "/x" }, addedPath: ["/a"] }, { PATH: "/a:/x" }],
    ["HOME is the container job's", { home: "/github/home" }, { HOME: "/github/home" }],
    ["HOME may be changed", { home: "/github/home", env: { HOME: "/h" } }, { HOME: "/h" }],
    ["the tracking id is there", {}, { RUNNER_TRACKING_ID: "github_1" }],
  ])("%s", (_, sources, expected) => {
    const environment = stepEnvironment({ ...nothing, ...sources });

    for (const [name, value] of Object.entries(expected)) {
      expect([name, environment[name]]).toEqual([name, value]);
    }
  });

  it.each([
    ["a NUL in a value", { WHO: "a\0b" }, '"WHO" contains a NUL'],
    ["an empty name", { "": "x" }, '"" cannot be the name'],
    ["a name with an equals sign", { "A=B": "x" }, '"A=B" cannot be the name'],
  ])("refuses %s", (_, env, message) => {
    expect(() => stepEnvironment({ ...nothing, env })).toThrow(message);
  });
});
