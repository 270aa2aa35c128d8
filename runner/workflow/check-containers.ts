import type { MappingToken } from "@actions/workflow-parser/templates/tokens/mapping-token";
import type { TemplateToken } from "@actions/workflow-parser/templates/tokens/template-token";
import { isMapping, isString } from "@actions/workflow-parser/templates/tokens/type-guards";
import type { Problems } from "./problems.ts";
import { fieldsOf, placeOf } from "./token-fields.ts";

const NO_IMAGE = "Container image cannot be empty";

/** Checks what the schema does not know of a job's `container` and `services`. */
export function checkContainers(job: ReadonlyMap<string, TemplateToken>, problems: Problems): void {
  const container = job.get("container");
  if (container) checkContainer(container, problems);
  const services = job.get("services");
  if (!services || !isMapping(services)) return;
  for (const { key, value } of services) {
    const name = key.toString();
    if (isString(key) && !/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(name)) {
      problems.add(
        `The name '${name}' of a service is invalid: it is its host name, of letters, digits, '_', '-' and '.'`,
        placeOf(key),
      );
    }
    checkContainer(value, problems);
  }
}

/** An empty image of a job's container means none; `docker://` before nothing is a mistake. */
function checkContainer(container: TemplateToken, problems: Problems): void {
  if (isMapping(container)) {
    checkFields(container, problems);
  } else if (isString(container) && container.value === "docker://") {
    problems.add(NO_IMAGE, placeOf(container));
  }
}

function checkFields(container: MappingToken, problems: Problems): void {
  const fields = fieldsOf(container);
  const image = fields.get("image");
  const hasExpressionKey = container.count > fields.size;
  if (!image && !hasExpressionKey) problems.add(NO_IMAGE, placeOf(container));
  if (image?.toString() === "docker://") problems.add(NO_IMAGE, placeOf(image));
  const credentials = fields.get("credentials");
  if (!credentials || !isMapping(credentials)) return;
  for (const name of ["username", "password"]) {
    if (!fieldsOf(credentials).has(name)) {
      problems.add(`Container credentials need a ${name}`, placeOf(credentials));
    }
  }
}
