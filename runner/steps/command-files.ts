import { COMMAND_FILES, type CommandFile } from "../commands/file-commands.ts";

/** The paths of a step's command files by their names in the `github` context: new ones for every step. */
export function commandFiles(temp: string, token: string): { [name in CommandFile]: string } {
  const folder = `${temp}/_runner_file_commands`;
  return {
    path: `${folder}/add_path_${token}`,
    env: `${folder}/set_env_${token}`,
    step_summary: `${folder}/step_summary_${token}`,
    state: `${folder}/save_state_${token}`,
    output: `${folder}/set_output_${token}`,
  };
}

/** The command files of an ended process by name, out of all that the shell handed back. */
export function pickCommandFiles<File>(
  paths: { readonly [name in CommandFile]: string },
  files: { readonly [path: string]: File },
): { [name in CommandFile]?: File } {
  return Object.fromEntries(
    COMMAND_FILES.map((name) => [name, files[paths[name]]]).filter(([, file]) => file),
  );
}
