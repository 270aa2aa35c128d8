import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type Document, LineCounter, parseDocument, visit, type YAMLError } from "yaml";
import { z } from "zod";
import { BerthError, textOf } from "../../runner/errors.ts";
import { type Problem, Problems, printProblems } from "../../runner/workflow/problems.ts";
import { checkConfig, checkHosts, checkRegistries } from "./check-config.ts";
import { Config } from "./config.ts";
import { type Explanation, explainIssue, valueAt } from "./explain-issue.ts";
import { hideSecrets } from "./hide-secrets.ts";
import {
  type Environment,
  type Interpolated,
  interpolate,
  type PathProblem,
} from "./interpolate.ts";
import { configSchema } from "./json-schema.ts";
import { Network } from "./network.ts";
import type { Path } from "./placeholders.ts";
import { type Resolved, resolveFiles, type ServiceConfig } from "./resolve-files.ts";
import {
  type ResolvedHost,
  type ResolvedNetwork,
  resolveHosts,
  resolveNetwork,
  secretsOfHosts,
} from "./resolve-hosts.ts";
import { whyUnreadable } from "./why-unreadable.ts";
import { placeOf } from "./yaml-places.ts";

export type Read<Result> =
  | {
      readonly config: Result;
      /** Everything that came from a file, the environment or a key for secrets: to be masked wherever something is printed. */
      readonly secrets: readonly string[];
    }
  /** In the file's order. */
  | { readonly problems: readonly Problem[] };
export type ReadConfig = Read<ServiceConfig>;

/**
 * Reads and checks `berth.yml`; all problems at once.
 *
 * @param options `cwd` is where `file` is taken from; paths in it are taken from the file's own folder.
 * @throws {BerthError} `CONFIG_INVALID` when the file cannot be read at all.
 */
export function readConfig(
  file: string,
  { env, cwd }: { env: Environment; cwd: string },
): ReadConfig {
  return readFile(file, {
    ...{ env, cwd },
    schema: Config,
    check: checkConfig,
    resolve: resolveFiles,
  });
}

/** What a file says of machines, as commands need it that have nothing to do with GitHub. */
export type HostsConfig = {
  readonly hosts: readonly ResolvedHost[];
  readonly network: ResolvedNetwork;
  readonly policy: Config["policy"];
};

const HostsFile = z.object({
  ...Network.shape,
  hosts: Config.shape.hosts,
  hostDefaults: Config.shape.hostDefaults,
  policy: Config.shape.policy,
});

/**
 * As `readConfig`, for the machines alone: whatever else stands in the file, or is missing, is not looked at.
 *
 * @throws {BerthError} `CONFIG_INVALID` when the file cannot be read at all.
 */
export function readHostsConfig(
  file: string,
  { env, cwd }: { env: Environment; cwd: string },
): Read<HostsConfig> {
  return readFile(file, {
    ...{ env, cwd },
    schema: HostsFile,
    check: ({ hosts, registries }) => [
      ...checkHosts(hosts ?? []),
      ...checkRegistries(registries ?? []),
    ],
    resolve({ hosts, hostDefaults, policy, ...network }, folder) {
      const problems: PathProblem[] = [];
      const config = {
        hosts: resolveHosts(hosts, hostDefaults, { folder, problems }),
        network: resolveNetwork(network, { folder, problems }),
        policy,
      };
      return { config, problems, secrets: secretsOfHosts(config) };
    },
  });
}

type FileOf<Parsed extends object, Result> = {
  readonly env: Environment;
  readonly cwd: string;
  readonly schema: z.ZodType<Parsed> & { readonly shape: z.ZodRawShape };
  check(sections: Partial<Parsed>): Explanation[];
  resolve(parsed: Parsed, folder: string): Resolved<Result>;
};

function readFile<Parsed extends object, Result>(
  file: string,
  { env, cwd, schema, check, resolve: resolveAll }: FileOf<Parsed, Result>,
): Read<Result> {
  const path = resolve(cwd, file);
  const text = readText(path, file);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, version: "1.2", prettyErrors: true });
  const problems = new Problems(file, hideSecrets(text));
  const tell = (found: Explanation) => problems.add(found.message, placeOf(document, lines, found));

  const faults = [...document.errors, ...document.warnings];
  for (const error of faults.filter(isFirstOfLine)) {
    problems.add(explainYaml(error, text), placeOfError(error));
  }
  const data = faults.every(isDuplicate) ? toData(document, { problems, lines }) : undefined;
  const checked = data === undefined ? undefined : checkData(data, { env, schema, check });
  for (const found of checked?.explanations ?? []) tell(found);
  if (checked?.parsed === undefined || problems.list.length > 0) return failed(problems);

  const { config, problems: unread, secrets } = resolveAll(checked.parsed, dirname(path));
  for (const found of unread) tell(found);
  if (problems.list.length > 0) return failed(problems);
  return {
    config,
    secrets: [...new Set([...secrets, ...checked.values])].filter((one) => one !== ""),
  };
}

/** @throws {BerthError} `CONFIG_INVALID` with all problems. */
export function configInvalid(problems: readonly Problem[]): BerthError {
  return new BerthError("CONFIG_INVALID", { message: printProblems(problems) });
}

function failed(problems: Problems): { readonly problems: readonly Problem[] } {
  return {
    problems: problems.list.toSorted((a, b) => a.line - b.line || a.column - b.column),
  };
}

function readText(path: string, file: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new BerthError("CONFIG_INVALID", {
      message: `The configuration ${file} cannot be read: ${whyUnreadable(cause)}.`,
      remedy: "Name the file with -c FILE.",
      cause,
    });
  }
}

type Checked<Parsed> = {
  readonly explanations: readonly Explanation[];
  readonly parsed?: Parsed | undefined;
  /** Of variables, as they were filled in. */
  readonly values: readonly string[];
};

function checkData<Parsed extends object>(
  written: unknown,
  { env, schema, check }: Pick<FileOf<Parsed, unknown>, "env" | "schema" | "check">,
): Checked<Parsed> {
  const interpolated = interpolate(onlyKnown(written, schema), env);
  const { data, values } = convertFilled(interpolated, schema);
  const parsed = schema.safeParse(data);
  const nodes = configSchema();
  const explanations = [
    ...interpolated.problems,
    ...(parsed.error?.issues ?? []).flatMap((issue) =>
      explainIssue(issue, { data, schema: nodes }),
    ),
  ];
  const sections = parsed.success ? parsed.data : readSections(data, schema);
  return { explanations: [...explanations, ...check(sections)], parsed: parsed.data, values };
}

/** Where unknown keys are no fault, nothing is filled in below them either. */
function onlyKnown(data: unknown, schema: { readonly shape: z.ZodRawShape }): unknown {
  if (schema === Config || typeof data !== "object" || data === null) return data;
  return Object.fromEntries(Object.entries(data).filter(([key]) => key in schema.shape));
}

/** A variable is text; where a number or true or false is wanted it becomes one, and is then no secret. */
function convertFilled(
  { data, filled }: Interpolated,
  schema: z.ZodType,
): { data: unknown; values: string[] } {
  const converted = structuredClone(data);
  const kept = filled.filter(({ path, value }) => {
    const text = valueAt(converted, path);
    if (text !== value) return true;
    const issues = schema.safeParse(converted).error?.issues ?? [];
    const issue = issues.find((one) => isSamePath(one.path, path));
    if (issue?.code !== "invalid_type") return true;
    const fitting = asKind(value, issue.expected);
    if (fitting === undefined) return true;
    setAt(converted, path, fitting);
    return false;
  });
  return { data: converted, values: kept.map(({ value }) => value) };
}

function asKind(text: string, expected: string): number | boolean | undefined {
  if (expected === "boolean") return { true: true, false: false }[text];
  const isNumber = expected === "number" || expected === "int";
  return isNumber && /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}

function setAt(data: unknown, path: Path, value: unknown): void {
  const holder = valueAt(data, path.slice(0, -1)) as { [key: PropertyKey]: unknown };
  holder[path.at(-1) ?? ""] = value;
}

function isSamePath(one: Path, other: Path): boolean {
  return one.length === other.length && one.every((step, index) => step === other[index]);
}

/** Those sections of a file with problems that have none, so that what is between them is told as well. */
function readSections<Parsed extends object>(
  data: unknown,
  { shape }: { readonly shape: z.ZodRawShape },
): Partial<Parsed> {
  if (typeof data !== "object" || data === null) return {};
  // A misspelt section counts as left out, and what refers to it would seem to be wrong.
  if (Object.keys(data).some((key) => !(key in shape))) return {};
  const sections = Object.entries(shape).map(([key, schema]) => [
    key,
    z.safeParse(schema, valueAt(data, [key])).data,
  ]);
  return Object.fromEntries(sections) as Partial<Parsed>;
}

function toData(
  document: Document,
  { problems, lines }: { problems: Problems; lines: LineCounter },
): unknown {
  let isWhole = true;
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) !== undefined) return;
      const { line, col } = lines.linePos(alias.range?.[0] ?? 0);
      problems.add(`the alias names nothing that stands before it`, { line, column: col });
      isWhole = false;
    },
  });
  if (!isWhole) return undefined;
  try {
    return document.toJS() as unknown;
  } catch (error) {
    // Aliases that multiply.
    problems.add(textOf(error), undefined);
    return undefined;
  }
}

/** What else YAML says of a line follows from the first, but for keys. */
function isFirstOfLine(error: YAMLError, index: number, all: readonly YAMLError[]): boolean {
  const line = error.linePos?.[0].line;
  return isDuplicate(error) || all.findIndex((one) => one.linePos?.[0].line === line) === index;
}

function isDuplicate(error: YAMLError): boolean {
  return error.code === "DUPLICATE_KEY";
}

function explainYaml(error: YAMLError, text: string): string {
  if (isDuplicate(error)) return "this key stands here twice; only one can count";
  const line = text.split("\n")[(error.linePos?.[0].line ?? 1) - 1] ?? "";
  const hint = /[{[,].*(?<!["'])\$\{/.test(line)
    ? ' Put quotes around "${NAME}" where it stands between { } or [ ].'
    : "";
  // After a colon comes a piece of the file, which may be a secret.
  const [message = ""] = error.message.split(/ at line \d+|\n|: /);
  return `${message.replace(/[.:]$/, "")}.${hint}`;
}

function placeOfError(error: YAMLError): { line: number; column: number } | undefined {
  const [start] = error.linePos ?? [];
  return start && { line: start.line, column: start.col };
}
