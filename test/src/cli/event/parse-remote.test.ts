import { expect, it } from "@jest/globals";
import { parseRemote } from "../../../../src/cli/event/parse-remote.ts";

it.each([
  ["https://github.com/octo/cat.git", "octo/cat", "https://github.com"],
  ["https://name:token@github.com/octo/cat", "octo/cat", "https://github.com"],
  ["http://ghes.local:8080/octo/cat/", "octo/cat", "http://ghes.local:8080"],
  ["git@github.com:octo/cat.git", "octo/cat", "https://github.com"],
  ["github.com:octo/cat", "octo/cat", "https://github.com"],
  ["ssh://git@ghes.local:2222/octo/cat.git", "octo/cat", "https://ghes.local"],
  ["git://example.org/octo/cat.js.git", "octo/cat.js", "https://example.org"],
])("reads %s", (url, repository, serverUrl) => {
  expect(parseRemote(url)).toEqual({ repository, serverUrl });
});

it.each(["/srv/git/cat.git", "../cat", "file:///srv/octo/cat", "https://github.com/cat", ""])(
  "takes %s for nobody's repository",
  (url) => {
    expect(parseRemote(url)).toBeUndefined();
  },
);
