import type { Hub, Repository } from "./hub.ts";

export type Annotation = {
  readonly path: string;
  readonly start_line: number;
  readonly end_line: number;
  readonly start_column?: number | undefined;
  readonly end_column?: number | undefined;
  readonly annotation_level: "notice" | "warning" | "failure";
  readonly message: string;
  readonly title?: string | undefined;
  readonly raw_details?: string | undefined;
};

export type CheckAction = {
  readonly label: string;
  readonly description: string;
  readonly identifier: string;
};

/** `actions` for the checks that show jobs, `app` for those of the hub's App. */
export type CheckOwner = "actions" | "app";

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
