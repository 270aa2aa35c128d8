import type Docker from "dockerode";
import { BerthError } from "../../runner/errors.ts";
import type { SiblingOptions } from "../../runner/job/siblings.ts";
import { type PortMapping, readPorts } from "./options/read-ports.ts";
import type { ForwardRequest, PortForwarder } from "./port-forwarder.ts";
import { readBoundPorts } from "./published-ports.ts";
import type { ServicePlan } from "./services-request.ts";

/** A service's port and where the job's steps find it. */
type ReachedPort = {
  readonly service: string;
  readonly containerPort: number;
  readonly protocol: string;
  readonly port: number;
};

type Running = { readonly plan: ServicePlan; readonly facts: Docker.ContainerInspectInfo };

/**
 * The ports of each service as the `job.services` context has them: put on the job's localhost by `forwarder`, or published on the host.
 *
 * @throws {BerthError} `SERVICE_FAILED`, `CONTAINER_OPTION`
 */
export async function openPorts(
  docker: Docker,
  services: readonly Running[],
  { forwarder, ...options }: SiblingOptions & { readonly forwarder: PortForwarder | undefined },
): Promise<{ readonly [service: string]: { readonly [containerPort: string]: string } }> {
  const reached =
    forwarder === undefined
      ? await published(docker, services)
      : await forwarded(forwarder, services, options);
  return Object.fromEntries(
    services.map(({ plan: { spec } }) => [
      spec.id,
      portsContext(reached.filter(({ service }) => service === spec.id)),
    ]),
  );
}

/** Whether something of a service belongs on the job's localhost. */
export function needsForwarder({ forwarded, forwardsExposed }: ServicePlan): boolean {
  return forwarded.length > 0 || forwardsExposed;
}

async function published(docker: Docker, services: readonly Running[]): Promise<ReachedPort[]> {
  const ports = services.map(async ({ plan, facts }) =>
    (await readBoundPorts(docker.getContainer(facts.Id))).map((bound) => ({
      ...bound,
      service: plan.spec.id,
      port: bound.hostPort,
    })),
  );
  return (await Promise.all(ports)).flat();
}

async function forwarded(
  forwarder: PortForwarder,
  services: readonly Running[],
  { progress, signal }: SiblingOptions,
): Promise<ReachedPort[]> {
  const wanted = services.flatMap((service) =>
    portsOf(service).map((mapping) => ({ mapping, ...service })),
  );
  const answers = await forwarder.forward(wanted.map(forwardRequest), signal);
  return wanted.map(({ plan, mapping }, index) => {
    const { port = 0, problem } = answers[index] ?? {};
    const { containerPort, protocol, hostPort } = mapping;
    const service = plan.spec.id;
    const what = `Port ${hostPort}${protocol === "udp" ? "/udp" : ""} of the job's localhost`;
    if (problem !== undefined) {
      progress(`${what} ${whyNot(problem)}; ${service} is on port ${port} instead.`);
    }
    return { service, containerPort, protocol, port };
  });
}

function portsOf({ plan, facts }: Running): PortMapping[] {
  const asked = [...plan.forwarded];
  if (!plan.forwardsExposed) return asked;
  const exposed = Object.keys(facts.Config.ExposedPorts ?? {}).flatMap((text) =>
    readPorts(text, "--publish-all"),
  );
  const isAsked = (port: PortMapping) =>
    asked.some(
      ({ containerPort, protocol }) =>
        containerPort === port.containerPort && protocol === port.protocol,
    );
  return [...asked, ...exposed.filter((port) => !isAsked(port))];
}

function forwardRequest({
  plan,
  facts,
  mapping,
}: Running & { mapping: PortMapping }): ForwardRequest {
  const { protocol, hostIp, hostPort, containerPort } = mapping;
  const { id } = plan.spec;
  if (protocol === "sctp") {
    throw new BerthError("CONTAINER_OPTION", {
      message: `Service '${id}': port ${containerPort}/sctp cannot be put on the job's localhost.`,
      remedy: `Reach it as ${id}:${containerPort}, or give the job a container:.`,
    });
  }
  const [first, last = first] = hostPort.split("-").map(Number);
  const ports = first === undefined || hostPort === "" ? [] : range(first, last ?? first);
  const address = facts.NetworkSettings.Networks[plan.frame.network]?.IPAddress;
  return {
    // Whatever address of a host was meant, here it is the job's own.
    addresses: hostIp.startsWith("127.") ? [hostIp] : ["127.0.0.1", "::1"],
    ports,
    protocol,
    target: { host: address || facts.Id.slice(0, 12), port: containerPort },
  };
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}

function whyNot(problem: string): string {
  if (problem === "EADDRINUSE") return "is taken";
  if (problem === "EACCES") return "may not be opened without rights on this engine";
  return `cannot be opened (${problem})`;
}

/** As GitHub's runner has it, by the bare number; where two protocols share one it is TCP's, and the other has its protocol's name. */
function portsContext(ports: readonly ReachedPort[]): { [containerPort: string]: string } {
  const isShadowed = ({ containerPort, protocol }: ReachedPort) =>
    protocol !== "tcp" &&
    ports.some((other) => other.protocol === "tcp" && other.containerPort === containerPort);
  return Object.fromEntries(
    ports.map((reached) => [
      isShadowed(reached)
        ? `${reached.containerPort}/${reached.protocol}`
        : String(reached.containerPort),
      String(reached.port),
    ]),
  );
}
