import { BerthError } from "../../runner/errors.ts";
import type { ServiceSpec } from "../../runner/job/siblings.ts";
import { type ContainerBasics, withBasics } from "./container-basics.ts";
import { type ContainerLease, withLease } from "./container-lease.ts";
import { type ContainerFrame, type ContainerWish, readContainer } from "./container-request.ts";
import type { Labels } from "./labels.ts";
import type { OptionFiles } from "./options/option-draft.ts";
import { isSpecialNetwork } from "./options/read-options.ts";
import type { PortMapping } from "./options/read-ports.ts";
import { splitWords } from "./options/split-words.ts";

/** On the container of one of a job's `services:`: its id there. */
export const SERVICE_LABEL = "io.berth.alias";

/** A service as the engine is going to be asked for it. */
export type ServicePlan = {
  readonly spec: ServiceSpec;
  readonly wish: ContainerWish;
  /** What is to be found on the job's localhost, instead of being published on the host. */
  readonly forwarded: readonly PortMapping[];
  /** Whether the ports that the image exposes are to be found there, too. */
  readonly forwardsExposed: boolean;
  /** Without the image's full name. */
  readonly frame: Omit<ContainerFrame, "image">;
};

/**
 * Reads what a service asks for, and puts it on the job's network under its id.
 *
 * @param options `network` is the name of the job's network.
 * @throws {BerthError} `CONTAINER_OPTION`, with the service's id
 */
export function planService(
  spec: ServiceSpec,
  {
    name,
    network,
    publishes,
    labels,
    files = {},
    lease,
    basics,
  }: {
    readonly name: string;
    readonly network: string;
    /** Whether its ports are published on the host, as for a job with `container:`. */
    readonly publishes: boolean;
    readonly labels: Labels;
    readonly files?: OptionFiles | undefined;
    /** It gets GPUs of it only where its options ask for some. */
    readonly lease?: ContainerLease | undefined;
    readonly basics?: ContainerBasics | undefined;
  },
): ServicePlan {
  const { id, entrypoint, command } = spec;
  return naming(id, () => {
    const read = withLease(withBasics(readContainer(spec, labels, files), basics), lease, {
      getsGpus: "asked",
    });
    const { host } = read.options;
    const wish = onNetwork(publishes ? read : unpublished(read), { network, id });
    return {
      spec,
      wish,
      forwarded: publishes ? [] : read.ports,
      forwardsExposed: !publishes && host.PublishAllPorts === true,
      frame: {
        name,
        isShell: false,
        ...(entrypoint !== undefined && { entrypoint: [entrypoint] }),
        ...(command !== undefined && { command: splitWords(command) }),
        env: surroundings(wish.env),
        labels: { ...labels, [SERVICE_LABEL]: id },
        network,
        mounts: [],
      },
    };
  });
}

/** Two jobs on one host may both want port 5432: on their own localhost both have it. */
function unpublished(wish: ContainerWish): ContainerWish {
  const { exposedPorts, host, ...options } = wish.options;
  const ports = wish.ports.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`);
  return {
    ...wish,
    ports: [],
    options: {
      ...options,
      exposedPorts: [...exposedPorts, ...ports],
      host: { ...host, PublishAllPorts: false },
    },
  };
}

/** What every container of a job is told, where its author says nothing else. */
function surroundings(env: readonly string[]): string[] {
  const said = new Set(env.map((entry) => entry.split("=", 1)[0]));
  return ["GITHUB_ACTIONS=true", "CI=true"].filter(
    (entry) => !said.has(entry.split("=", 1)[0] ?? ""),
  );
}

/** The job's network comes first, whatever others its options name. */
function onNetwork(
  wish: ContainerWish,
  { network, id }: { readonly network: string; readonly id: string },
): ContainerWish {
  const { options } = wish;
  const special = options.networks.find(({ name }) => isSpecialNetwork(name));
  if (special !== undefined) {
    throw new BerthError("CONTAINER_OPTION", {
      message: `--network ${special.name} would keep the service off the job's network.`,
      remedy: "Take it out: steps reach the service by its id and on its ports.",
    });
  }
  const others = options.networks.filter(({ name }) => name !== network);
  const aliases = [...options.aliases, ...options.networks.flatMap((other) => other.aliases)];
  const own = { name: network, aliases: [...new Set([id, ...aliases])] };
  return { ...wish, options: { ...options, networks: [own, ...others], aliases: [] } };
}

/** Says of which service an error speaks. */
export function ofService(id: string, error: unknown): unknown {
  if (!(error instanceof BerthError)) return error;
  const { code, message, remedy, cause } = error;
  return new BerthError(code, { message: `Service '${id}': ${message}`, remedy, cause });
}

function naming<T>(id: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw ofService(id, error);
  }
}
