import type { SetupAnswer, SetupAttempt } from "../../hosts/setup/setup-on-demand.ts";

/**
 * A set-up for people: what would be done, or what came of it.
 *
 * @param options `apply` is the command that applies it.
 */
export function setupReport(
  answer: SetupAnswer,
  { name, apply }: { readonly name: string; readonly apply: string },
): string {
  return [
    ...heading(answer, name),
    ...(answer.mode === "plan" ? answer.attempts.flatMap(planned) : []),
    ...answer.obstacles.flatMap(({ reason, remedy }) => [`✗ ${reason}`, `  ${remedy}`]),
    ...answer.notes.map((note) => `Note: ${note}`),
    ...ending(answer, apply),
  ]
    .map((line) => `${line}\n`)
    .join("");
}

function heading({ mode, engine, endpoint, fallbackReason, error }: SetupAnswer, name: string) {
  if (engine === undefined) return [`${name} cannot be given a container engine:`];
  const what = engine === "rootless" ? "a rootless Docker" : "the system's Docker";
  const reason = fallbackReason === undefined ? [] : [`Not a rootless one: ${fallbackReason}`];
  if (error !== undefined) return [...reason, `${name}: ${error.message}`];
  return mode === "plan"
    ? [`For ${name}: ${what} at ${endpoint}.`, ...reason]
    : [...reason, `${name} has ${what} at ${endpoint}.`];
}

function planned(attempt: SetupAttempt, index: number): string[] {
  const { step, outcome, why, commands, changes, verified } = attempt;
  if (outcome === "present") return [`✓ ${index + 1}. ${step}: nothing to do`];
  return [
    "",
    `· ${index + 1}. ${step}${attempt.sudo ? " (sudo)" : ""}`,
    `     ${why}`,
    // Only the first line is set in: a file that a command writes must not be, for who copies it.
    ...commands.map((command) => `       ${command}`),
    `     Changes: ${changes}.`,
    `     Done when: ${verified}.`,
  ];
}

function ending({ mode, attempts, engine, error }: SetupAnswer, apply: string): string[] {
  if (error !== undefined) {
    return [
      ...(error.remedy === undefined ? [] : [error.remedy]),
      "What was done before it stays; the same command goes on from there.",
    ];
  }
  if (engine === undefined) return [];
  const isDone = attempts.every(({ outcome }) => outcome === "present");
  if (isDone) return ["Nothing is to be done."];
  return mode === "plan" ? ["", `Nothing was changed. To apply this: ${apply}`] : [];
}
