import { expect, it } from "@jest/globals";
import { actionServer, type ServerFlags } from "../../../src/cli/action-server.ts";

const token = "t";

it.each<[title: string, flags: ServerFlags, serverUrl: string, apiUrl: string, isTold: boolean]>([
  ["github.com", {}, "https://github.com", "https://api.github.com", true],
  [
    "a host of GitHub's for companies",
    {},
    "https://acme.ghe.com",
    "https://api.acme.ghe.com",
    true,
  ],
  [
    "an enterprise server that a flag names",
    { githubUrl: "https://git.acme.org/" },
    "https://github.com",
    "https://git.acme.org/api/v3",
    true,
  ],
  [
    "an API that a flag names",
    { githubUrl: "https://git.acme.org", apiUrl: "http://localhost:3000" },
    "https://github.com",
    "http://localhost:3000",
    true,
  ],
  [
    "a flag for github.com",
    { githubUrl: "https://github.com" },
    "https://x.org",
    "https://api.github.com",
    true,
  ],
  ["a remote elsewhere", {}, "https://gitlab.com", "https://api.github.com", false],
  [
    "a remote that only looks like it",
    {},
    "https://evil.org/.ghe.com",
    "https://api.github.com",
    false,
  ],
  ["a remote without TLS", {}, "http://github.com", "https://api.github.com", false],
])("takes actions from where they are, and gives the token to whom it is for: %s", (...given) => {
  const [, flags, serverUrl, apiUrl, isTold] = given;

  const server = actionServer({ ...flags, token }, serverUrl);

  expect(server.apiUrl).toBe(apiUrl);
  expect(server.token).toBe(isTold ? token : undefined);
});
