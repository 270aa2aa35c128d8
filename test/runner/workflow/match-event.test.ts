import { describe, expect, it } from "@jest/globals";
import { type EventFacts, matchEvent } from "../../../runner/workflow/match-event.ts";
import { matchesPatterns } from "../../../runner/workflow/match-pattern.ts";
import { readWorkflow } from "../../../runner/workflow/read-workflow.ts";

function match(on: string, event: EventFacts) {
  const text = `on: ${on}\njobs: { a: { runs-on: x, steps: [{ run: x }] } }`;
  return matchEvent(readWorkflow({ file: "ci.yml", text }), event);
}

describe("filter patterns", () => {
  it.each<[string, string, boolean]>([
    ["main", "main", true],
    ["main", "maintain", false],
    ["Main", "main", false],
    ["feature/*", "feature/a", true],
    ["feature/*", "feature/a/b", false],
    ["feature/**", "feature/a/b", true],
    ["releases/mona-the-octocat", "releases/mona-the-octocat", true],
    ["*", "main", true],
    ["*", "a/b", false],
    ["**", "all/the/branches", true],
    ["*feature", "mona-feature", true],
    ["v2*", "v2.0", true],
    ["v[12].[0-9]+.[0-9]+", "v1.10.1", true],
    ["v[12].[0-9]+.[0-9]+", "v3.0.0", false],
    ["*.jsx?", "page.js", true],
    ["*.jsx?", "page.jsx", true],
    ["*.jsx?", "page.ts", false],
    ["**.js", "js/src/index.js", true],
    ["*.js", "js/index.js", false],
    ["docs/*", "docs/a.md", true],
    ["docs/*", "docs/a/b.md", false],
    ["docs/**", "docs/a/b.md", true],
    ["docs/**/*.md", "docs/a.md", true],
    ["docs/**/*.md", "docs/a/b/c.md", true],
    ["**/docs/**", "docs/hello.md", true],
    ["**/docs/**", "dir/docs/my-file.txt", true],
    ["**/README.md", "README.md", true],
    ["**/README.md", "js/README.md", true],
    ["**/*src/**", "my-src/code/js/app.js", true],
    ["**/*-post.md", "path/their-post.md", true],
    ["a.b", "axb", false],
    ["a\\*", "a*", true],
    ["a\\*", "ab", false],
    ["a+b", "aaab", true],
    ["(a|b)", "a", false],
    ["[^a]", "b", true],
    ["^x$", "^x$", true],
    ["+a", "+a", true],
  ])("%s against %s: %s", (pattern, name, isMatch) => {
    expect(matchesPatterns(name, [pattern])).toBe(isMatch);
  });

  it.each<[string[], string, boolean]>([
    [["releases/**", "!releases/**-alpha"], "releases/10-alpha", false],
    [["releases/**", "!releases/**-alpha"], "releases/10", true],
    [["**", "!a/**", "a/b"], "a/b", true],
    [["!a"], "b", false],
  ])("%j against %s: %s, the last that matches wins", (patterns, name, isMatch) => {
    expect(matchesPatterns(name, patterns)).toBe(isMatch);
  });
});

describe("a workflow", () => {
  const push = (ref: string, more: Partial<EventFacts> = {}): EventFacts => ({
    name: "push",
    ref,
    ...more,
  });
  const main = push("refs/heads/main");
  const tag = push("refs/tags/v1");

  it.each<[string, string, EventFacts]>([
    ["a listed event", "[push, pull_request]", main],
    ["any push without filters", "push", tag],
    ["a branch it names", "{ push: { branches: [main] } }", main],
    ["a tag it names", "{ push: { tags: 'v*' } }", tag],
    ["branches or tags it names", "{ push: { branches: [x], tags: ['v*'] } }", tag],
    ["a branch it does not ignore", "{ push: { branches-ignore: [x] } }", main],
    [
      "a changed file it names",
      "{ push: { paths: ['src/**'] } }",
      push("refs/heads/main", { changedFiles: ["README.md", "src/a"] }),
    ],
    [
      "a changed file it does not ignore",
      "{ push: { paths-ignore: ['docs/**'] } }",
      push("refs/heads/main", { changedFiles: ["docs/a", "b"] }),
    ],
    ["changes nobody knows", "{ push: { paths: ['src/**'] } }", main],
    [
      "a tag, whatever its paths",
      "{ push: { paths: ['src/**'] } }",
      push("refs/tags/v1", { changedFiles: ["b"] }),
    ],
    ["a default type", "pull_request", { name: "pull_request", action: "synchronize" }],
    ["an action nobody knows", "pull_request", { name: "pull_request" }],
    [
      "a type it names",
      "{ pull_request: { types: [closed] } }",
      { name: "pull_request", action: "closed" },
    ],
    ["any type of an event without defaults", "issues", { name: "issues", action: "closed" }],
    [
      "a pull request's base branch",
      "{ pull_request: { branches: [main] } }",
      { name: "pull_request", branch: "main" },
    ],
    [
      "a workflow it follows",
      "{ workflow_run: { workflows: [CI] } }",
      { name: "workflow_run", workflow: "CI" },
    ],
    [
      "its schedule",
      "{ schedule: [{ cron: '0 5 * * *' }] }",
      { name: "schedule", cron: "0 5 * * *" },
    ],
    [
      "a manual start",
      "workflow_dispatch",
      { name: "workflow_dispatch", headMessage: "[skip ci]" },
    ],
  ])("runs for %s", (_title, on, event) => {
    expect(match(on, event)).toEqual({ runs: true });
  });

  it.each<[string, string, EventFacts, string]>([
    [
      "another event",
      "[push, issues]",
      { name: "release" },
      "It runs on push, issues, not on release.",
    ],
    [
      "another branch",
      "{ push: { branches: [x, 'y*'] } }",
      main,
      "Its branches are x, y*; main is not among them.",
    ],
    [
      "an ignored branch",
      "{ push: { branches-ignore: [main] } }",
      main,
      "Its branches-ignore has main.",
    ],
    [
      "a tag when it filters branches only",
      "{ push: { branches: ['**'] } }",
      tag,
      "It runs for branches only.",
    ],
    [
      "a branch when it filters tags only",
      "{ push: { tags-ignore: [x] } }",
      main,
      "It runs for tags only.",
    ],
    [
      "other files",
      "{ push: { paths: ['src/**'] } }",
      push("refs/heads/main", { changedFiles: ["b"] }),
      "None of the changed files is in its paths: src/**.",
    ],
    [
      "the right branch but other files",
      "{ push: { branches: [main], paths: [a] } }",
      push("refs/heads/main", { changedFiles: ["b"] }),
      "None of the changed files",
    ],
    [
      "ignored files only",
      "{ push: { paths-ignore: ['docs/**'] } }",
      push("refs/heads/main", { changedFiles: ["docs/a"] }),
      "All changed files are in its paths-ignore: docs/**.",
    ],
    [
      "files beyond the first 300",
      "{ push: { paths: [a] } }",
      push("refs/heads/main", { changedFiles: [...Array(300).fill("b"), "a"] }),
      "None of the changed files",
    ],
    [
      "another type than the default ones",
      "pull_request",
      { name: "pull_request", action: "closed" },
      "Its types are opened, synchronize, reopened, not closed.",
    ],
    [
      "another base branch",
      "{ pull_request: { branches: [main] } }",
      { name: "pull_request", branch: "x" },
      "Its branches are main; x is not among them.",
    ],
    [
      "another workflow",
      "{ workflow_run: { workflows: [CI] } }",
      { name: "workflow_run", workflow: "CD" },
      "It follows CI, not CD.",
    ],
    [
      "another schedule",
      "{ schedule: [{ cron: '0 5 * * *' }] }",
      { name: "schedule", cron: "1 5 * * *" },
      "Its schedule is 0 5 * * *, not 1 5 * * *.",
    ],
    ...["[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]"].map(
      (word): [string, string, EventFacts, string] => [
        `a commit that says ${word}`,
        "push",
        push("refs/heads/main", { headMessage: `Fix ${word}` }),
        `The head commit's message says ${word}.`,
      ],
    ),
    [
      "a commit with the skip trailer",
      "push",
      push("refs/heads/main", { headMessage: "Fix\n\nskip-checks: true" }),
      "says skip-checks: true.",
    ],
  ])("does not run for %s, and says why", (_title, on, event, why) => {
    expect(match(on, event)).toEqual({ runs: false, why: expect.stringContaining(why) });
  });
});
