import { createContext, Script } from "node:vm";
import type { Annotation, AnnotationLevel } from "../job/job-event.ts";
import type { ProblemMatcher, ProblemPattern, ProblemProperty } from "./problem-matcher.ts";

/** The problem matchers of a job: registered by one step, at work in all that follow. */
export type MatcherRegistry = {
  /** Newest first. */
  readonly matchers: readonly ProblemMatcher[];
  /** One with the same owner replaces the older one. */
  add(matchers: readonly ProblemMatcher[]): void;
  remove(owners: readonly string[]): void;
};

export function createMatcherRegistry(): MatcherRegistry {
  let matchers: readonly ProblemMatcher[] = [];

  function without(owners: readonly string[]): ProblemMatcher[] {
    const gone = new Set(owners.map((owner) => owner.toLowerCase()));
    return matchers.filter(({ owner }) => !gone.has(owner.toLowerCase()));
  }

  return {
    get matchers() {
      return matchers;
    },
    add(added) {
      matchers = [...added, ...without(added.map(({ owner }) => owner))];
    },
    remove(owners) {
      matchers = without(owners);
    },
  };
}

/** Looks for problems in what one process prints. */
export type LineMatcher = {
  /** False while no matcher is registered: nothing can be found. */
  readonly active: boolean;
  /** What is found in lines that follow those of the call before, in order. */
  match(lines: readonly string[]): readonly Finding[];
};

export type Finding = {
  readonly index: number;
  readonly annotation: Annotation;
  /** What the log shows, after the tag, in place of the line; absent when the line itself stays. */
  readonly line?: string;
};

export type LineMatcherOptions = {
  readonly registry: MatcherRegistry;
  /**
   * The file of an annotation relative to the workflow's repository, from what a line names and the matcher's `fromPath`;
   * `undefined` when it does not exist or lies elsewhere.
   */
  resolveFile(file: string, fromPath: string | undefined): string | undefined;
  /** The longest a line may take a matcher, in milliseconds; 1,000 when left out. */
  readonly timeoutMs?: number;
};

/** How often a matcher may run out of time on a line before it is removed. */
const ATTEMPTS = 3;

/** Matches lines as GitHub's runner does (`OutputManager.cs`, `IssueMatcher.cs`), one state for each process. */
export function createLineMatcher(options: LineMatcherOptions): LineMatcher {
  const { registry, resolveFile, timeoutMs = 1000 } = options;
  const states = new Map<ProblemMatcher, State>();
  let guard: Guard | undefined;

  /** What one matcher makes of a line; nothing changes when it is interrupted before it has an answer. */
  function tryMatcher(matcher: ProblemMatcher, line: string): Problem | undefined {
    const before = states.get(matcher) ?? NOTHING;
    const { hit, state } = advance(matcher, before, line);
    if (hit) states.clear();
    if (hit || state !== before) states.set(matcher, state);
    return hit && readProblem(hit, matcher);
  }

  function match(lines: readonly string[]): Finding[] {
    const findings: Finding[] = [];
    let index = 0;
    let tried = 0;
    let timeouts = 0;

    function matchOn(): void {
      for (; index < lines.length; index++, tried = 0, timeouts = 0) {
        const line = stripColours(lines[index] ?? "");
        for (; tried < registry.matchers.length; tried++, timeouts = 0) {
          const matcher = registry.matchers[tried];
          const problem = matcher && tryMatcher(matcher, line);
          if (problem === undefined) continue;
          findings.push({ index, annotation: problem, line });
          break;
        }
      }
    }

    guard ??= createGuard(timeoutMs);
    while (!guard(matchOn)) {
      timeouts++;
      const matcher = registry.matchers[tried];
      if (timeouts < ATTEMPTS || matcher === undefined) continue;
      registry.remove([matcher.owner]);
      findings.push({ index, annotation: removal(matcher) });
      timeouts = 0;
    }
    return findings;
  }

  return {
    get active() {
      return registry.matchers.length > 0;
    },
    match: (lines) => match(lines).map((finding) => withFile(finding, resolveFile)),
  };
}

/** A line that a pattern matched, on top of those that the patterns before it matched. */
type Hit = {
  readonly pattern: ProblemPattern;
  readonly groups: RegExpExecArray;
  readonly before: Hit | undefined;
};
/** An annotation whose file is still as the line names it. */
type Problem = Annotation & { readonly fromPath?: string };

/** One matcher, one line: state n is what patterns 0 to n have matched so far. */
function advance(
  { patterns }: ProblemMatcher,
  before: State,
  line: string,
): { hit?: Hit; state: State } {
  const last = patterns.length - 1;
  let state = before;
  for (let i = last; i >= 0; i--) {
    const pattern = patterns[i];
    const running = i > 0 ? before[i - 1] : undefined;
    if (pattern === undefined || (i > 0 && running === undefined)) continue;

    const groups = pattern.regexp.exec(line);
    const hit = groups ? { pattern, groups, before: running } : undefined;
    if (i < last) state = setAt(state, i, hit);
    else if (hit) return { hit, state: pattern.loop ? setAt(NOTHING, i - 1, running) : NOTHING };
    else if (i > 0) state = setAt(state, i - 1, undefined);
  }
  return { state };
}

type State = readonly (Hit | undefined)[];
const NOTHING: State = [];

function setAt(state: State, index: number, hit: Hit | undefined): State {
  if (state[index] === hit) return state;
  const changed = [...state];
  changed[index] = hit;
  return changed;
}

function readProblem(hit: Hit, matcher: ProblemMatcher): Problem | undefined {
  const message = captured(hit, "message") ?? "";
  const level = readLevel(captured(hit, "severity") || matcher.severity);
  if (message.trim() === "" || level === undefined) return undefined;

  const startLine = readDigits(captured(hit, "line"));
  const startColumn = readDigits(captured(hit, "column"));
  const file = captured(hit, "file");
  const fromPath = captured(hit, "fromPath") || matcher.fromPath;
  return {
    level,
    message,
    ...(startLine === undefined ? {} : { startLine }),
    ...(startColumn === undefined ? {} : { startColumn }),
    ...(file?.trim() ? { file } : {}),
    ...(fromPath === undefined ? {} : { fromPath }),
  };
}

/** What the lines say about a property; of several, the first. */
function captured(hit: Hit, property: ProblemProperty): string | undefined {
  const earlier = hit.before && captured(hit.before, property);
  if (earlier !== undefined) return earlier;
  const group = hit.pattern[property];
  return group === undefined ? undefined : (hit.groups[group] ?? "");
}

function readLevel(severity: string): AnnotationLevel | undefined {
  const level = severity.toLowerCase();
  if (level === "") return "error";
  return level === "error" || level === "warning" || level === "notice" ? level : undefined;
}

function readDigits(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d+$/.test(text)) return undefined;
  const number = Number(text);
  return number >= 1 && number <= 0x7fffffff ? number : undefined;
}

function withFile(finding: Finding, resolveFile: LineMatcherOptions["resolveFile"]): Finding {
  const { file, fromPath, ...annotation }: Problem = finding.annotation;
  if (file === undefined) return { ...finding, annotation };
  const resolved = resolveFile(file, fromPath);
  return {
    ...finding,
    annotation: resolved === undefined ? annotation : { ...annotation, file: resolved },
  };
}

function removal({ owner }: ProblemMatcher): Annotation {
  const cause = "The regular expression took too long on a line.";
  return {
    level: "warning",
    message: `Removing issue matcher '${owner}'. Matcher failed ${ATTEMPTS} times. Error: ${cause}`,
  };
}

function stripColours(line: string): string {
  return line.includes("\u001b[") ? line.replace(/\u001b\[[0-9;]*m/g, "") : line;
}

/** Runs a task to its end, true, or until its time is over, false. */
type Guard = (task: () => void) => boolean;

// A regular expression can be interrupted only from outside its thread, which `node:vm` does.
function createGuard(timeoutMs: number): Guard {
  const holder = { task: () => {} };
  const context = createContext(holder);
  const script = new Script("task()");
  return (task) => {
    holder.task = task;
    try {
      script.runInContext(context, { timeout: timeoutMs });
      return true;
    } catch (error) {
      if (!isTimeout(error)) throw error;
      return false;
    }
  };
}

// Not `instanceof Error`: what comes out of a context is an error of that context's.
function isTimeout(error: unknown): boolean {
  const isObject = typeof error === "object" && error !== null;
  return isObject && "code" in error && error.code === "ERR_SCRIPT_EXECUTION_TIMEOUT";
}
