import type { Readable } from "node:stream";

/** The working tree that a run was started from; what `actions/checkout` of the repository itself yields. */
export type WorkingTree = {
  /** `owner/repo`. */
  readonly repository: string;
  /** Whether a `ref` input names what the working tree stands for: its commit, its branch, its ref. */
  standsFor(ref: string): boolean;
  /**
   * Its files, tracked and not ignored, and a `.git` folder with `fetchDepth` commits (0 for all), whose remote is the server's address of the repository.
   * Names in the archive are relative to the working tree's root.
   */
  pack(options: {
    readonly fetchDepth: number;
    readonly signal: AbortSignal;
  }): Promise<{ readonly tar: Readable; readonly commit: string; readonly ref: string }>;
};
