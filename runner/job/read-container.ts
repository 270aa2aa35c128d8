import { BerthError } from "../errors.ts";
import { evaluateTemplate, type Scope, toText } from "../expressions/evaluate.ts";
import type { Json, Template } from "../expressions/template.ts";
import type { ContainerSpec } from "./container-spec.ts";

/**
 * Evaluates a job's `container:`. Without an image there is none: the job runs in the image of its labels.
 *
 * @throws {BerthError} `WORKFLOW_INVALID` when it has another shape than its keys must have.
 */
export async function readContainer(
  template: Template | undefined,
  scope: Scope,
): Promise<ContainerSpec | undefined> {
  const value = await evaluateTemplate(template ?? null, scope);
  const container = isMapping(value) ? value : { image: value };
  const image = toText(container.image ?? null);
  if (image === "") return undefined;

  const credentials = readCredentials(container.credentials ?? null);
  return {
    image,
    ...(credentials ? { credentials } : {}),
    env: readMapping(container.env ?? null, "env"),
    ports: readList(container.ports ?? null, "ports"),
    volumes: readList(container.volumes ?? null, "volumes"),
    options: toText(container.options ?? null),
  };
}

function readCredentials(value: Json): ContainerSpec["credentials"] {
  if (value === null) return undefined;
  const { username = "", password = "" } = readMapping(value, "credentials");
  if (username !== "" && password !== "") return { username, password };
  throw new BerthError("WORKFLOW_INVALID", {
    message:
      "`container.credentials` needs both a username and a password, and one of them is empty.",
    remedy: "See that the secrets it names are given to this job.",
  });
}

function readMapping(value: Json, key: string): { [name: string]: string } {
  if (value === null) return {};
  if (!isMapping(value)) throw misshapen(key, "a mapping");
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, toText(item)]));
}

function readList(value: Json, key: string): string[] {
  if (value === null) return [];
  if (!Array.isArray(value)) throw misshapen(key, "a list");
  return value.map(toText);
}

function misshapen(key: string, shape: string): BerthError {
  return new BerthError("WORKFLOW_INVALID", { message: `\`container.${key}\` must be ${shape}.` });
}

function isMapping(value: Json): value is { readonly [key: string]: Json } {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
