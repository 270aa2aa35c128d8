import { expect, it } from "@jest/globals";
import { Profile } from "../../../src/config/profile.ts";
import { createClaim } from "../../../src/fleet/claim.ts";

const profiles = { "ML-Train": Profile.parse({ needs: { gpu: { count: 2 } } }) };

it.each<[string[], "named" | "labels", boolean]>([
  [["berth"], "named", true],
  [["self-hosted", "Berth", "gpu=2"], "named", true],
  [["ml-train"], "named", true],
  [["self-hosted", "linux", "x64"], "named", false],
  [["self-hosted", "linux", "x64"], "labels", true],
  [["berth", "our-own-label"], "named", false],
  [["ubuntu-latest"], "labels", false],
])("%j with claim %s", (labels, claim, isOurs) => {
  expect(createClaim({ profiles, claim }).isOurs(labels)).toBe(isOurs);
});

it("knows what a profile's name asks for, in any case", () => {
  const claim = createClaim({ profiles, claim: "named" });
  const need = claim.need(["ML-TRAIN"]);
  if (typeof need === "string") throw new Error(need);

  expect(need).toMatchObject({ gpus: 2, profile: "ml-train" });
  expect(claim.profile(need)).toBe(profiles["ML-Train"]);
});

it("says in words which labels cannot be had", () => {
  const claim = createClaim({ profiles, claim: "named" });

  expect(claim.need(["berth", "host=a", "host=b"])).toMatch(/one host/);
  expect(claim.need(["berth", "x y"])).toBe("Not all of the labels berth, x y are known here.");
});
