import { join } from "node:path/posix";
import type { ActionRuns } from "../actions/action-manifest.ts";
import { inputVariables, stateVariables } from "./action-inputs.ts";
import { chooseNode } from "./choose-node.ts";
import { hasProgram, type LoadedAction } from "./load-action.ts";
import { runProcess } from "./run-process.ts";
import type { RunningAction } from "./running-step.ts";
import type { ProcessVariables } from "./step-environment.ts";
import type { Stage } from "./step-scope.ts";

/** Names that a shell can hold; others reach Node by a file, since an argument list would show their values. */
const SHELL_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Runs a stage of a JavaScript action: its program in the workspace, without arguments. What went wrong it says itself.
 *
 * @throws {Error} in GitHub's words when the program does not exist, in ours when there is no Node for this image.
 */
export async function runJavaScript(
  action: LoadedAction,
  { runs, stage }: { readonly runs: ActionRuns & { using: "node" }; readonly stage: Stage },
  self: RunningAction,
): Promise<boolean> {
  const { running, env, token } = self;
  const file = stage === "main" ? runs.main : runs[stage];
  if (file === undefined) return true;
  const program = join(action.folder, file);
  if (!hasProgram(action, file)) throw new Error(`File not found: '${program}'`);

  const variables = { ...stateVariables(self.state), ...inputVariables(self.inputs) };
  const { typed, odd } = splitByName(variables, env);
  const starter = `${running.place.paths.temp}/_start_${token}.cjs`;
  const needsStarter = action.prepared === undefined || Object.keys(odd).length > 0;
  return await runProcess(
    {
      program: chooseNode(runs.version, self),
      args: [needsStarter ? starter : program],
      cwd: running.place.paths.workspace,
      write: needsStarter
        ? [{ path: starter, content: starterText(odd, program), mode: 0o600 }]
        : [],
      variables: { ...typed, ...withoutIcuData(env, running.place.shell.facts.env) },
      explainsItself: true,
    },
    self,
  );
}

/** Of what the process gets, the names that a shell cannot hold; they are taken out of the step's `env` too. */
function splitByName(
  variables: { readonly [name: string]: string },
  env: { readonly [name: string]: string },
): { typed: ProcessVariables; odd: { [name: string]: string } } {
  const odd = Object.entries({ ...env, ...variables }).filter(([name]) => !SHELL_NAME.test(name));
  const leftOut = Object.fromEntries(odd.map(([name]) => [name, undefined]));
  return { typed: { ...variables, ...leftOut }, odd: Object.fromEntries(odd) };
}

/**
 * Gives Node the odd variables, removes itself and starts the program as if it had been named on the command line:
 * `process.argv`, `process.execArgv`, `require.main` and `import.meta.main` are the same. A program of the workspace is looked for here,
 * where it costs no round trip.
 */
function starterText(odd: { readonly [name: string]: string }, program: string): string {
  const path = JSON.stringify(program);
  return `const fs = require("node:fs");
fs.rmSync(__filename, { force: true });
if (!fs.existsSync(${path})) {
  console.log("::error::" + ${JSON.stringify(escapeData(`File not found: '${program}'`))});
  process.exit(1);
}
Object.assign(process.env, ${JSON.stringify(odd)});
process.argv[1] = ${path};
delete require.cache[__filename];
require("node:module").runMain();
`;
}

/** As workflow commands have it. */
function escapeData(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

/** A variable for the Node of the workflow's author; ours would not start with it. */
function withoutIcuData(...environments: readonly { readonly [name: string]: string }[]): {
  [name: string]: null;
} {
  const isSet = environments.some((environment) => "NODE_ICU_DATA" in environment);
  return isSet ? { NODE_ICU_DATA: null } : {};
}
