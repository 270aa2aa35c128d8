import { dirname, isAbsolute, join, normalize, relative } from "node:path/posix";

/**
 * The file of a problem relative to the workspace, or undefined when it lies elsewhere. Only the path is looked at: asking the
 * job's container whether the file exists would cost a round trip in the middle of a step, whose shell is busy.
 */
export function resolveProblemFile(
  file: string,
  where: { readonly fromPath: string | undefined; readonly workspace: string },
): string | undefined {
  const { fromPath, workspace } = where;
  const folder = fromPath ? dirname(below(workspace, fromPath)) : workspace;
  const inWorkspace = relative(normalize(workspace), normalize(below(folder, file)));
  const isElsewhere = inWorkspace === "" || inWorkspace === ".." || inWorkspace.startsWith("../");
  return isElsewhere ? undefined : inWorkspace;
}

function below(folder: string, path: string): string {
  return isAbsolute(path) ? path : join(folder, path);
}
