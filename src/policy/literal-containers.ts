import type { Template } from "../../runner/expressions/template.ts";
import type { JobDescription } from "../../runner/job/job-description.ts";
import type { AskedContainer } from "./judge-container.ts";

/** What a job's `container` and `services` say without expressions; what an expression stands for is left out. */
export function literalContainers({
  container,
  services,
}: Pick<JobDescription, "container" | "services">): {
  readonly what: string;
  readonly container: AskedContainer;
}[] {
  const own = container === undefined ? [] : [["`container`", container] as const];
  const others = entriesOf(services).map(
    ([id, service]) => [`\`services.${id}\``, service] as const,
  );
  return [...own, ...others].map(([what, template]) => ({ what, container: read(template) }));
}

function read(template: Template): AskedContainer {
  if (typeof template === "string") return { image: template, ...NOTHING };
  const fields = new Map(entriesOf(template));
  const volumes = fields.get("volumes");
  const items = isObject(volumes) && "seq" in volumes ? volumes.seq : [];
  return {
    ...NOTHING,
    image: textOf(fields.get("image")),
    volumes: items.flatMap((item) => textOf(item) ?? []),
    options: textOf(fields.get("options")) ?? "",
  };
}

const NOTHING = { env: {}, ports: [], volumes: [], options: "" };

function entriesOf(template: Template | undefined): [string, Template][] {
  if (!isObject(template) || !("map" in template)) return [];
  return template.map.flatMap(([key, value]) => {
    return typeof key === "string" ? [[key, value] as [string, Template]] : [];
  });
}

function textOf(template: Template | undefined): string | undefined {
  return typeof template === "string" ? template : undefined;
}

function isObject(
  template: Template | undefined,
): template is Exclude<Template, null | string | number | boolean> {
  return typeof template === "object" && template !== null;
}
