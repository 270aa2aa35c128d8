import type { Hub, Repository } from "./hub.ts";
import type { Annotation, CheckAction, CheckOwner } from "./hub-facts.ts";

export type CheckRun = {
  readonly id: number;
  readonly repository: Repository;
  readonly suite: CheckSuite;
  readonly owner: CheckOwner;
  readonly headSha: string;
  name: string;
  status: string;
  conclusion: string | null;
  detailsUrl: string | null;
  externalId: string;
  startedAt: string;
  completedAt: string | null;
  title: string | null;
  summary: string | null;
  text: string | null;
  annotations: Annotation[];
  actions: readonly CheckAction[];
};

/** All check runs of one App for one commit. */
export type CheckSuite = {
  readonly id: number;
  readonly repository: Repository;
  readonly owner: CheckOwner;
  readonly headSha: string;
  readonly headBranch: string | null;
  readonly createdAt: string;
};

/** The App whose checks show GitHub's own jobs. */
export const ACTIONS_APP = { id: 15368, slug: "github-actions", name: "GitHub Actions" } as const;

export function runsOfSuite(hub: Hub, suite: CheckSuite): CheckRun[] {
  return [...hub.checkRuns.values()].filter((run) => run.suite === suite);
}

/** The suite of a commit, made when there is none yet. */
export function suiteFor(
  hub: Hub,
  facts: {
    readonly repository: Repository;
    readonly owner: CheckOwner;
    readonly headSha: string;
    readonly headBranch: string | null;
    readonly createdAt: string;
  },
): CheckSuite {
  const known = [...hub.checkSuites.values()].find(
    ({ repository, owner, headSha }) =>
      repository === facts.repository && owner === facts.owner && headSha === facts.headSha,
  );
  if (known) return known;
  const suite: CheckSuite = { id: hub.nextId(), ...facts };
  hub.checkSuites.set(suite.id, suite);
  return suite;
}
