import type { Readable } from "node:stream";

/** The working tree that a run was started from; what `actions/checkout` of the repository itself yields. */
export type WorkingTree = {
  /** `owner/repo`. */
  readonly repository: string;
  /** Whether a `ref` input names what the working tree stands for: its commit, its branch, its ref. */
  standsFor(ref: string): boolean;
  /**
   * Its files, tracked and not ignored, and a `.git` folder whose remote is the server's address of the repository. Names in the archive
   * are relative to the working tree's root. The archive must be read or destroyed.
   *
   * @throws {BerthError} `WORKING_TREE_UNREADABLE`
   */
  pack(options: PackOptions): Promise<PackedTree>;
};

export type PackOptions = {
  /** Commits in the `.git` folder, 0 for all of all branches. */
  readonly fetchDepth: number;
  readonly fetchTags?: boolean;
  /** The full ref that is checked out there, or `""` for the commit alone; the run's own when left out. */
  readonly ref?: string;
  /** Only these folders, as a sparse checkout has them. */
  readonly folders?: readonly string[] | undefined;
  /** Told what is left out or changed while the archive is read. */
  progress(line: string): void;
  readonly signal: AbortSignal;
};

export type PackedTree = {
  readonly tar: Readable;
  /** `""` where there is none. */
  readonly commit: string;
  readonly ref: string;
  /** Without a repository there is no `.git` folder, and nothing is ignored. */
  readonly isRepository: boolean;
  /** How many there are, links too. */
  readonly files: number;
  /** How many of them are not as they were committed, those that are deleted included. */
  readonly changes: number;
  readonly emptySubmodules: readonly string[];
};
