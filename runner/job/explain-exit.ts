/** How a step's process or a job's container came to its end. */
export type Exit = {
  readonly of: "step" | "container";
  /** 0 to 255; killed by signal n is 128 + n. */
  readonly exitCode: number;
  /** The kernel ended a process of this container for want of memory. */
  readonly oomKilled?: boolean;
  /** Berth itself stopped it (cancelled, timed out), so that the signal needs no explaining. */
  readonly stopped?: boolean;
};

export type ExitExplanation = {
  /** What happened, one sentence. */
  readonly sentence: string;
  /** What to do next, one sentence. */
  readonly remedy: string;
};

/**
 * Puts words to an exit code that says more than "failed"; `undefined` where there is nothing to add. The codes are those of POSIX
 * shells (126, 127, 128 + signal) and of `docker run` (125).
 */
export function explainExit({
  of,
  exitCode,
  oomKilled = false,
  stopped = false,
}: Exit): ExitExplanation | undefined {
  if (stopped) return undefined;
  const who = of === "step" ? "The step" : "The container";
  if (oomKilled && exitCode !== 0) {
    return {
      sentence: `${who} ran out of memory: the kernel killed a process of it (exit code ${exitCode}).`,
      remedy:
        "Give it more with a label such as mem=16g or --memory in the container's options, or let the program use less.",
    };
  }

  switch (exitCode) {
    case 125:
      return {
        sentence: `${who} ended with 125: a container engine could not run the container it was asked for.`,
        remedy: "See the engine's own message above; an option or the image is wrong.",
      };
    case 126:
      return {
        sentence: `${who} ended with 126: a program was found but could not be executed.`,
        remedy: "Make it executable (chmod +x), and see that it is made for this processor.",
      };
    case 127:
      return {
        sentence: `${who} ended with 127: a program was not found.`,
        remedy: "Install it in the image or in a step before, or correct its name or PATH.",
      };
    case 128:
      return {
        sentence: `${who} ended with 128: a program was given an exit code or an argument it cannot use; git says so of a fatal error.`,
        remedy: "See its own message above.",
      };
    case 137:
      return {
        sentence: `${who} was killed (signal 9, SIGKILL), which no program can refuse.`,
        remedy:
          "If it used much memory, the machine may have run out of it; otherwise see what sent the signal.",
      };
    case 139:
      return {
        sentence: `${who} crashed: it touched memory that is not its own (signal 11, SIGSEGV).`,
        remedy: "The program or a native library of it has an error; see that both fit this image.",
      };
    case 143:
      return {
        sentence: `${who} was asked to end (signal 15, SIGTERM).`,
        remedy:
          "Something sent it the signal: a timeout in the script, kill, or the machine shutting down.",
      };
    default:
      return explainSignal(who, exitCode - 128);
  }
}

const SIGNALS: { readonly [number: number]: readonly [name: string, meaning: string] } = {
  1: ["SIGHUP", "its terminal went away"],
  2: ["SIGINT", "it was interrupted"],
  3: ["SIGQUIT", "it was told to quit"],
  4: ["SIGILL", "it met an instruction that this processor does not know"],
  5: ["SIGTRAP", "it hit a breakpoint"],
  6: ["SIGABRT", "it gave up by itself"],
  7: ["SIGBUS", "it touched memory or a mapped file that is not there"],
  8: ["SIGFPE", "it calculated something impossible, such as a division by zero"],
  10: ["SIGUSR1", "it was sent a signal it does not handle"],
  12: ["SIGUSR2", "it was sent a signal it does not handle"],
  13: ["SIGPIPE", "it wrote to a pipe that nobody reads any more"],
  14: ["SIGALRM", "its alarm rang"],
  24: ["SIGXCPU", "it used up its limit of processor time"],
  25: ["SIGXFSZ", "it wrote a file beyond its limit"],
  31: ["SIGSYS", "it made a system call that is forbidden here"],
};

const REMEDIES: { readonly [number: number]: string } = {
  4: "Use a build of it for this processor.",
  6: "See its own last message above.",
  7: "Give the container more shared memory with --shm-size, if the program uses that.",
  13: "Let the reader of the pipe read all of it, or handle SIGPIPE.",
  31: "The container's seccomp profile forbids it; see --security-opt.",
};

/** Linux has signals 1 to 64; above that a code is the program's own. */
function explainSignal(who: string, signal: number): ExitExplanation | undefined {
  if (signal < 1 || signal > 64) return undefined;
  const [name, meaning] = SIGNALS[signal] ?? [undefined, "it was sent a signal it does not handle"];
  const number = name === undefined ? `signal ${signal}` : `signal ${signal}, ${name}`;
  return {
    sentence: `${who} was ended by a signal: ${meaning} (${number}).`,
    remedy: REMEDIES[signal] ?? "See what sent it that signal, and its own last message above.",
  };
}
