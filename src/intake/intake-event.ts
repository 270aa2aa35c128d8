import type { GitHubJobRecord } from "../store/records.ts";

/** What GitHub told, after signature, order and repetition have been dealt with. */
export type IntakeEvent =
  /**
   * A job's joined record has changed, and is in the store. `before` is absent of one that is new, or that this life of the service
   * hears of for the first time, unchanged.
   */
  | { type: "job"; job: GitHubJobRecord; before?: GitHubJobRecord }
  /** A run was completed as cancelled; whoever asked for it. */
  | {
      type: "run_cancelled";
      repository: string;
      githubRunId: number;
      attempt: number;
      by: { login: string; isBot: boolean };
      atMs: number;
    }
  /** Somebody pressed "Re-run" of a check of ours; of a whole suite it names no check. */
  | {
      type: "check_rerequested";
      repository: string;
      headSha: string;
      checkRunId?: number;
      by: string;
    }
  /** Somebody pressed a button that we put beside a check. */
  | { type: "check_action"; repository: string; checkRunId: number; identifier: string; by: string }
  /** The App was installed, removed, or given other repositories. */
  | { type: "installation"; installationId: number };

/** Hears events one after the other. What it must remember is durable when it resolves; it may hear an event twice. */
export type IntakeListener = (event: IntakeEvent) => Promise<void>;
