import type { Profile } from "../config/profile.ts";
import { profileWishes } from "../config/profile-wishes.ts";
import type { ServiceConfig } from "../config/resolve-files.ts";
import { isAddressed, matchLabels } from "../profiles/match-labels.ts";
import type { Need } from "../profiles/need.ts";

/** What the configuration makes of labels. */
export type Claim = {
  /** Whether a job with these labels is Berth's to run. */
  isOurs(labels: readonly string[]): boolean;
  /**
   * What they ask for.
   *
   * @returns A sentence where they contradict each other.
   */
  need(labels: readonly string[]): Need | string;
  profile(need: Need): Profile | undefined;
};

export function createClaim({ profiles, claim }: Pick<ServiceConfig, "profiles" | "claim">): Claim {
  const wishes = profileWishes(profiles);
  const byName = new Map(
    Object.entries(profiles).map(([name, profile]) => [name.toLowerCase(), profile]),
  );
  return {
    isOurs: (labels) =>
      isAddressed(labels, { profiles: wishes, claim }) && matchLabels(labels, wishes) !== undefined,
    need(labels) {
      const match = matchLabels(labels, wishes);
      if (match === undefined) return `Not all of the labels ${labels.join(", ")} are known here.`;
      return match.kind === "need" ? match.need : match.why;
    },
    profile: ({ profile }) => (profile === undefined ? undefined : byName.get(profile)),
  };
}
