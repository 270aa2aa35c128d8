import type { ShellFacts } from "../shell/shell.ts";
import { splitArguments } from "./split-arguments.ts";

/** How a script is started: which program, with which arguments, from what kind of file. */
export type ScriptShell = {
  /** As the header of the step prints it after `shell: `. */
  readonly shown: string;
  /** Looked up on the step's PATH. */
  readonly program: string;
  /** Includes the dot, or empty. */
  readonly extension: string;
  argumentsFor(scriptPath: string): string[];
  /** The script as it is written to its file. */
  fileContent(script: string): string;
};

/**
 * The shell of a `run` step. The unnamed default is bash without `pipefail`, as on GitHub's runner; in a job with
 * `container:` it is sh.
 *
 * @param name the step's `shell`, or that of `defaults`; undefined for the default.
 * @throws {Error} with GitHub's words when a custom shell has no `{0}`.
 */
export function scriptShell(
  name: string | undefined,
  where: { readonly facts: ShellFacts; readonly inJobContainer: boolean },
): ScriptShell {
  const { program, template } = name ? namedShell(name) : defaultShell(where);
  if (!template.includes("{0}")) {
    throw new Error(
      "Invalid shell option. Shell must be a valid built-in (bash, sh, cmd, powershell, pwsh) or a format string containing '{0}'",
    );
  }
  const known = program.toLowerCase();

  return {
    shown: `${shownProgram(program, where)} ${template}`,
    program,
    extension: EXTENSIONS[known] ?? "",
    argumentsFor: (scriptPath) => splitArguments(fillIn(template, scriptPath)),
    fileContent: (script) => (known === "pwsh" || known === "powershell" ? strict(script) : script),
  };
}

const TEMPLATES: { readonly [name: string]: string } = {
  bash: "--noprofile --norc -e -o pipefail {0}",
  sh: "-e {0}",
  pwsh: `-command ". '{0}'"`,
  powershell: `-command ". '{0}'"`,
  python: "{0}",
  cmd: `/D /E:ON /V:OFF /S /C "CALL "{0}""`,
};

const EXTENSIONS: { readonly [name: string]: string } = {
  bash: ".sh",
  sh: ".sh",
  pwsh: ".ps1",
  powershell: ".ps1",
  python: ".py",
  cmd: ".cmd",
};

function namedShell(name: string): { program: string; template: string } {
  const blank = name.indexOf(" ");
  const program = blank === -1 ? name : name.slice(0, blank);
  const template = blank === -1 ? "" : name.slice(blank + 1);
  return { program, template: template || (TEMPLATES[program.toLowerCase()] ?? "") };
}

function defaultShell(where: { facts: ShellFacts; inJobContainer: boolean }) {
  const hasBash = where.facts.programs.bash !== undefined;
  return { program: hasBash ? "bash" : "sh", template: "-e {0}" };
}

function shownProgram(program: string, where: { facts: ShellFacts; inJobContainer: boolean }) {
  return where.inJobContainer ? program : (where.facts.programs[program] ?? program);
}

/** PowerShell goes on after errors and hides exit codes of programs; GitHub's runner turns both off. */
function strict(script: string): string {
  return [
    "$ErrorActionPreference = 'stop'",
    script,
    "if (Test-Path -LiteralPath variable:LASTEXITCODE) { exit $LASTEXITCODE }",
  ].join("\n");
}

/** Formats as C# does: `{0}` is the argument, braces that are meant are doubled. */
function fillIn(template: string, argument: string): string {
  return template.replace(/\{\{|\}\}|\{0\}|[{}]/g, (part) => {
    if (part === "{0}") return argument;
    if (part.length === 2) return part.charAt(0);
    throw new Error("Input string was not in a correct format.");
  });
}
