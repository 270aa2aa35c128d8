/** What a process can do to its job by what it prints and by its command files; the executor owns the state. */
export type CommandEffects = {
  setOutput(name: string, value: string): void;
  saveState(name: string, value: string): void;
  /** For all following steps and the current `env` context. */
  setEnv(name: string, value: string): void;
  /** Puts a directory before all on PATH; one that is there already moves to the front. */
  addPath(directory: string): void;
  addMask(value: string): void;
  /**
   * Registers the matchers of a file, a path as the step wrote it. `fail` may be called at any time until the step ends:
   * it writes the error as GitHub does and fails the step.
   */
  addMatchers(file: string, fail: (message: string) => void): void;
  removeMatchers(which: MatchersToRemove, fail: (message: string) => void): void;
  /** The step fails, and goes on. */
  fail(): void;
};

/** By owner, or all owners that a matcher file names. */
export type MatchersToRemove = { readonly owner: string } | { readonly file: string };
