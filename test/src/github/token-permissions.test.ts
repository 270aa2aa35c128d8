import { expect, it } from "@jest/globals";
import { expandPermissions } from "../../../runner/workflow/permissions.ts";
import { tokenPermissions } from "../../../src/github/token-permissions.ts";

const GRANTED = {
  ...{ actions: "write", contents: "write", metadata: "read", pull_requests: "read" },
  ...{ actions_variables: "write", administration: "admin" },
};

it.each([
  ["nothing said", undefined, { contents: "read" }, []],
  ["nothing wanted", {}, {}, []],
  ["none", { contents: "none" }, {}, []],
  ["a scope with a dash", { "pull-requests": "read" }, { pull_requests: "read" }, []],
  [
    "more than there is",
    { "pull-requests": "write" },
    { pull_requests: "read" },
    ["pull-requests: write"],
  ],
  [
    "what the App lacks",
    { packages: "read", contents: "read" },
    { contents: "read" },
    ["packages: read"],
  ],
  ["OIDC, which is no permission of an App", { "id-token": "write" }, {}, []],
  [
    "read-all",
    expandPermissions("read-all"),
    { actions: "read", contents: "read", pull_requests: "read" },
    [],
  ],
  [
    "write-all",
    expandPermissions("write-all"),
    { actions: "write", contents: "write", pull_requests: "read" },
    [],
  ],
])("narrows a token: %s", (_, wanted, permissions, missing) => {
  expect(tokenPermissions(wanted, GRANTED)).toEqual({
    permissions: { metadata: "read", ...permissions },
    missing,
  });
});
