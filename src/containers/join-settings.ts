import type { ContainerSpec } from "../../runner/job/container-spec.ts";
import type { ContainerSettings } from "./settings.ts";
import { settingsToSpec } from "./settings-to-spec.ts";

/**
 * A job's container as its workflow's `container:` and the settings of its profile have it together. Image, login, variables, user and the like are the
 * workflow's where both say something; resources and privilege are the profile's; volumes, ports and networks are those of both.
 *
 * @param image Of a job without `container:`.
 */
export function joinSettings(
  container: ContainerSpec | undefined,
  settings: ContainerSettings | undefined,
  image: string,
): ContainerSpec {
  const plain = { image, env: {}, ports: [], volumes: [], options: "" };
  if (settings === undefined) return container ?? plain;

  const { resources, privileged, ...soft } = settings;
  const below = settingsToSpec({ ...soft, image, privileged: false });
  // Of an option that is given twice, the last counts.
  const held = settingsToSpec({ ...BARE, image, resources, privileged });
  const own = container ?? plain;
  const credentials = container === undefined ? below.credentials : container.credentials;
  return {
    image: own.image,
    ...(credentials && { credentials }),
    env: { ...below.env, ...own.env },
    ports: [...below.ports, ...own.ports],
    volumes: [...below.volumes, ...own.volumes],
    options: [below.options, own.options, held.options].filter((part) => part !== "").join(" "),
  };
}

const BARE = { environment: {}, volumes: [], options: "" };
