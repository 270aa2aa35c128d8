import { expect, it } from "@jest/globals";
import { keepTerms } from "../../../src/fleet/keep-terms.ts";

const onFailure = { ms: 60_000 };
const run = { isFork: false, github: { actor: "octocat" } };

it("keeps a job for the keys of who started it, or for those of the profile", () => {
  expect(keepTerms(run, { onFailure, keys: "github:actor" })).toEqual({
    ...{ ms: 60_000, keys: { ofUser: "octocat" } },
  });
  expect(keepTerms(run, { onFailure, keys: ["ssh-ed25519 AAAA me"] })?.keys).toEqual([
    "ssh-ed25519 AAAA me",
  ]);
});

it("keeps none of a fork, and none whose profile does not say so", () => {
  expect(keepTerms({ ...run, isFork: true }, { onFailure, keys: "github:actor" })).toBeUndefined();
  expect(keepTerms(run, undefined)).toBeUndefined();
});
