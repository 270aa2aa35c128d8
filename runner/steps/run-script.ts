import { isAbsolute } from "node:path/posix";
import { evaluateTemplate, toText } from "../expressions/evaluate.ts";
import type { RunStep } from "../job/job-description.ts";
import type { RunningJob } from "../job/running-job.ts";
import { runProcess } from "./run-process.ts";
import type { RunningStep } from "./running-step.ts";
import { type ScriptShell, scriptShell } from "./shell-template.ts";

/**
 * Runs the script of a `run` step. True when it succeeded; what went wrong is in the step's log.
 *
 * @param defaults The job's `defaults.run`; none within a composite action.
 */
export async function runScript(
  step: RunStep,
  self: RunningStep,
  defaults: RunningJob["defaults"],
): Promise<boolean> {
  const { running, scope, token, env, log } = self;
  const { facts } = running.place.shell;
  const { workspace, temp } = running.place.paths;
  const script = toText(await evaluateTemplate(step.run, scope));
  const given = toText(await evaluateTemplate(step.workingDirectory ?? null, scope));
  const directory = given || defaults.workingDirectory || workspace;
  const cwd = isAbsolute(directory) ? directory : `${workspace}/${directory}`;
  const named = toText(await evaluateTemplate(step.shell ?? null, scope));
  const shell = scriptShell(named || defaults.shell, {
    facts,
    inJobContainer: running.inJobContainer,
  });
  log.write(header(script, shell, env));

  const path = `${temp}/${token}${shell.extension}`;
  return await runProcess(
    {
      program: shell.program,
      args: shell.argumentsFor(path),
      cwd,
      write: [{ path, content: shell.fileContent(script) }],
    },
    self,
  );
}

function header(script: string, shell: ScriptShell, env: { [name: string]: string }): string {
  const [firstLine = ""] = script.trimStart().split(/\r?\n/, 1);
  const lines = script.replace(/[\r\n]+$/, "").split("\n");
  const variables = Object.entries(env).map(([name, value]) => `  ${name}: ${value}`);
  return [
    `##[group]Run ${firstLine}`,
    ...lines.map((line) => `\u001b[36;1m${line}\u001b[0m`),
    `shell: ${shell.shown}`,
    ...(variables.length > 0 ? ["env:", ...variables] : []),
    "##[endgroup]",
  ].join("\n");
}
