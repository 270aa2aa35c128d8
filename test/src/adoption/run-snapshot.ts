import type { RunSnapshot } from "../../../src/adoption/run-facts.ts";

/** Facts of a run of a push to main, but for what is given. */
export function aSnapshot(given: Partial<RunSnapshot> = {}): RunSnapshot {
  const sha = "1".repeat(40);
  return {
    event: "push",
    sha,
    ref: "refs/heads/main",
    baseRef: "",
    headRef: "",
    workflowFile: ".github/workflows/ci.yml",
    github: {
      repository: "my-org/app",
      actor: "anna",
      triggering_actor: "anna",
      event_name: "push",
      event: {},
      ref: "refs/heads/main",
      sha,
    },
    inputs: null,
    vars: {},
    isFork: false,
    headRepository: "my-org/app",
    title: "A change",
    ...given,
  };
}
