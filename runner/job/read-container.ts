import { BerthError } from "../errors.ts";
import { evaluateTemplate, type Scope, toText } from "../expressions/evaluate.ts";
import type { Json, Template } from "../expressions/template.ts";
import type { ContainerSpec } from "./container-spec.ts";
import type { ServiceSpec } from "./siblings.ts";

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
  return readSpec(isMapping(value) ? value : { image: value }, "container");
}

/**
 * Evaluates a job's `services:`, in the order of the file. Those without an image are left out, and `note` is told.
 *
 * @throws {BerthError} `WORKFLOW_INVALID`, with the service and its key, when one has another shape than its keys must have.
 */
export async function readServices(
  template: Template | undefined,
  { scope, note }: { readonly scope: Scope; note(line: string): void },
): Promise<ServiceSpec[]> {
  const value = await evaluateTemplate(template ?? null, scope);
  if (value === null || value === "") return [];
  if (!isMapping(value)) throw misshapen("services", "a mapping of names to services");

  return Object.entries(value).flatMap(([id, written]) => {
    const name = `services.${id}`;
    const service = readShape(written, name);
    const spec = readSpec(service, name);
    if (spec === undefined) {
      note(
        `The service '${id}' will not be started because the container definition has an empty image.`,
      );
      return [];
    }
    const entrypoint = readText(service.entrypoint, `${name}.entrypoint`);
    const command = readText(service.command, `${name}.command`);
    return [
      { ...spec, id, ...(entrypoint !== "" && { entrypoint }), ...(command !== "" && { command }) },
    ];
  });
}

const SERVICE_KEYS = [
  "image",
  "credentials",
  "env",
  "ports",
  "volumes",
  "options",
  "entrypoint",
  "command",
];

/** A service that an expression yielded was not looked at by the workflow's own checks. */
function readShape(written: Json, name: string): { readonly [key: string]: Json } {
  if (Array.isArray(written)) throw misshapen(name, "an image or a mapping");
  if (!isMapping(written)) return { image: written };
  const unknown = Object.keys(written).find((key) => !SERVICE_KEYS.includes(key));
  if (unknown === undefined) return written;
  throw new BerthError("WORKFLOW_INVALID", {
    message: `\`${name}\` has a key \`${unknown}\`, which no service has.`,
    remedy: `Use ${SERVICE_KEYS.slice(0, -1).join(", ")} or ${SERVICE_KEYS.at(-1)}.`,
  });
}

function readSpec(
  container: { readonly [key: string]: Json },
  name: string,
): ContainerSpec | undefined {
  const image = readText(container.image, `${name}.image`).replace(/^docker:\/\//, "");
  if (image === "") return undefined;

  const credentials = readCredentials(container.credentials ?? null, `${name}.credentials`);
  return {
    image,
    ...(credentials ? { credentials } : {}),
    env: readMapping(container.env ?? null, `${name}.env`),
    ports: readList(container.ports ?? null, `${name}.ports`),
    volumes: readList(container.volumes ?? null, `${name}.volumes`),
    options: readText(container.options, `${name}.options`),
  };
}

function readCredentials(value: Json, key: string): ContainerSpec["credentials"] {
  if (value === null) return undefined;
  const { username = "", password = "" } = readMapping(value, key);
  if (username !== "" && password !== "") return { username, password };
  throw new BerthError("WORKFLOW_INVALID", {
    message: `\`${key}\` needs both a username and a password, and one of them is empty.`,
    remedy: "See that the secrets it names are given to this job.",
  });
}

function readMapping(value: Json, key: string): { [name: string]: string } {
  if (value === null) return {};
  if (!isMapping(value)) throw misshapen(key, "a mapping");
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, readText(item, `${key}.${name}`)]),
  );
}

function readList(value: Json, key: string): string[] {
  if (value === null) return [];
  if (!Array.isArray(value)) throw misshapen(key, "a list");
  return value.map((item: Json, index) => readText(item, `${key}[${index}]`));
}

function readText(value: Json | undefined, key: string): string {
  if (value !== null && typeof value === "object") throw misshapen(key, "a text");
  return toText(value ?? null);
}

function misshapen(key: string, shape: string): BerthError {
  return new BerthError("WORKFLOW_INVALID", { message: `\`${key}\` must be ${shape}.` });
}

function isMapping(value: Json): value is { readonly [key: string]: Json } {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
