import { readFileSync } from "node:fs";
import {
  escapePlaceholders,
  isJobValue,
  mapTexts,
  type Path,
  replacePlaceholders,
} from "./placeholders.ts";
import { whyUnreadable } from "./why-unreadable.ts";

export type Environment = { readonly [name: string]: string | undefined };

/** Something wrong with the value at `path`. */
export type PathProblem = { readonly path: Path; readonly message: string };

export type Interpolated = {
  readonly data: unknown;
  readonly problems: readonly PathProblem[];
  /** Where variables were filled in, and with what. */
  readonly filled: readonly { readonly path: Path; readonly value: string }[];
};

/**
 * Fills in `${NAME}` from the environment: the variable itself, or the contents of the file that `NAME_FILE` names.
 * What is filled in for each job stays, where it may stand: in a profile's container.
 */
export function interpolate(data: unknown, env: Environment): Interpolated {
  const problems: PathProblem[] = [];
  const filled: { path: Path; value: string }[] = [];
  const result = mapTexts(data, (text, path) => {
    const isTemplate = path[0] === "profiles" && path[2] === "container" && path.length > 3;
    return replacePlaceholders(
      text,
      (name) => {
        if (isTemplate && isJobValue(name)) return undefined;
        const found = lookUp(name, env, { isTemplate });
        if ("problem" in found) {
          problems.push({ path, message: found.problem });
          return undefined;
        }
        filled.push({ path, value: found.value });
        return isTemplate ? escapePlaceholders(found.value) : found.value;
      },
      { keepEscapes: isTemplate },
    );
  });
  return { data: result, problems, filled };
}

function lookUp(
  name: string,
  env: Environment,
  { isTemplate }: { isTemplate: boolean },
): { value: string } | { problem: string } {
  if (isJobValue(name)) {
    return {
      problem: `\${${name}} is known for each job only; it can stand in a profile's container`,
    };
  }
  if (!/^[A-Za-z_]\w*$/.test(name)) {
    const others = isTemplate ? "; for each job there are run_id, job and matrix.KEY" : "";
    return { problem: `\${${name}} is not the name of an environment variable${others}` };
  }
  const value = env[name];
  const file = env[`${name}_FILE`];
  if (value !== undefined && file !== undefined) {
    return { problem: `both ${name} and ${name}_FILE are set in the environment; unset one` };
  }
  if (value !== undefined) return { value };
  if (file !== undefined) return readVariableFile(name, file);
  const others = isTemplate ? ", nor one of run_id, job and matrix.KEY" : "";
  return {
    problem: `there is no ${name} in the environment, nor ${name}_FILE naming a file with it${others}`,
  };
}

function readVariableFile(name: string, file: string): { value: string } | { problem: string } {
  try {
    return { value: readFileSync(file, "utf8").replace(/\r?\n$/, "") };
  } catch (error) {
    return { problem: `${name}_FILE is ${file}, which cannot be read: ${whyUnreadable(error)}` };
  }
}
