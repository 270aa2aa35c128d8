import { join } from "node:path/posix";
import type { ActionRuns } from "../actions/action-manifest.ts";
import { inputVariables, stateVariables } from "./action-inputs.ts";
import { chooseNode } from "./choose-node.ts";
import { hasProgram, type LoadedAction } from "./load-action.ts";
import { runProcess } from "./run-process.ts";
import type { RunningAction } from "./running-step.ts";
import type { ProcessVariables } from "./step-environment.ts";
import type { Stage } from "./step-scope.ts";

/** Names that a shell can hold; others reach Node under names of ours, since the argument list of `env` would show their values. */
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
  const odd = oddOnes({ ...env, ...variables });
  const needsStarter = action.prepared === undefined || Object.keys(odd).length > 0;
  const starter = `${running.place.paths.temp}/_start_${token}.cjs`;
  return await runProcess(
    {
      program: chooseNode(runs.version, self),
      args: [needsStarter ? starter : program],
      cwd: running.place.paths.workspace,
      write: needsStarter ? [{ path: starter, content: STARTER }] : [],
      variables: {
        ...variables,
        ...(needsStarter ? forStarter(odd, program) : {}),
        ...withoutIcuData(env, running.place.shell.facts.env),
      },
      explainsItself: true,
    },
    self,
  );
}

/** Of what the process gets, what has a name that no shell can hold. */
function oddOnes(variables: { readonly [name: string]: string }): { [name: string]: string } {
  return Object.fromEntries(Object.entries(variables).filter(([name]) => !SHELL_NAME.test(name)));
}

/** The odd variables under names that pass through a shell; under their own they are left out. */
function forStarter(odd: { readonly [name: string]: string }, program: string): ProcessVariables {
  const names = Object.keys(odd);
  const values = Object.values(odd).map((value, index) => [`BERTH_ODD_${index}`, value]);
  return {
    ...Object.fromEntries(names.map((name) => [name, undefined])),
    ...Object.fromEntries(values),
    BERTH_ODD: JSON.stringify(names),
    BERTH_MAIN: program,
  };
}

/**
 * Gives Node the odd variables, removes itself and starts the program as if it had been named on the command line:
 * `process.argv`, `process.execArgv`, `require.main` and `import.meta.main` are the same. A program of the workspace is looked for here,
 * where it costs no round trip.
 */
const STARTER = `const e = process.env, fs = require("fs");
const take = (n) => { const v = e[n]; delete e[n]; return v; };
JSON.parse(take("BERTH_ODD")).forEach((n, i) => { e[n] = take("BERTH_ODD_" + i); });
const main = process.argv[1] = take("BERTH_MAIN");
delete require.cache[__filename];
fs.rmSync(__filename, { force: true });
if (fs.existsSync(main)) require("module").runMain();
else {
  process.exitCode = 1;
  console.log("::error::File not found: '" + main.replace(/[%\\r\\n]/g, encodeURIComponent) + "'");
}
`;

/** A variable for the Node of the workflow's author; ours would not start with it. */
function withoutIcuData(...environments: readonly { readonly [name: string]: string }[]): {
  [name: string]: null;
} {
  const isSet = environments.some((environment) => "NODE_ICU_DATA" in environment);
  return isSet ? { NODE_ICU_DATA: null } : {};
}
