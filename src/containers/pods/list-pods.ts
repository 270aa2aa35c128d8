import { z } from "zod";
import type { Engine } from "../connect-engine.ts";
import { engineError } from "../engine-error.ts";
import { PodPort } from "./pod-answer.ts";
import { GPU_MODEL_LABEL, GPUS_LABEL, isPod, POD_FILTER, POD_LABEL } from "./pod-labels.ts";

/** A line of `berth container ls`. */
export const ListedPod = z.object({
  id: z.string(),
  name: z.string(),
  image: z.string(),
  host: z.string(),
  engine: z.string(),
  state: z.string().describe("running, exited, paused, created"),
  status: z.string().describe("As the engine words it, with exit code and time."),
  createdAt: z.string().describe("ISO 8601"),
  ports: z.array(PodPort),
  gpuModel: z.string().nullable(),
  gpuUuids: z.array(z.string()),
});
export type ListedPod = z.infer<typeof ListedPod>;

/** A container on an engine, with what is needed to do something with it. */
export type FoundPod = {
  readonly pod: ListedPod;
  readonly podId: string;
  readonly engine: Engine;
};

/**
 * The pods of one engine, the newest first.
 *
 * @throws {BerthError} `ENGINE_LOST`, `ENGINE_REFUSED`
 */
export async function listPods(host: string, engine: Engine): Promise<FoundPod[]> {
  try {
    const containers = await engine.docker.listContainers({ all: true, filters: POD_FILTER });
    return containers
      .filter(({ Labels: labels }) => isPod(labels))
      .map((container) => {
        const { Id: id, Names: names, Image: image, State: state, Status: status } = container;
        const labels = container.Labels;
        const pod = {
          ...{ id, image, host, state, status },
          name: names[0]?.replace(/^\//, "") ?? id,
          engine: engine.endpoint,
          createdAt: new Date(container.Created * 1000).toISOString(),
          ports: portsOf(container.Ports ?? []),
          gpuModel: labels[GPU_MODEL_LABEL] ?? null,
          gpuUuids: labels[GPUS_LABEL]?.split(" ") ?? [],
        };
        return { pod, podId: labels[POD_LABEL] ?? "", engine };
      });
  } catch (error) {
    throw engineError(error, "list the containers");
  }
}

type EnginePort = { IP?: string; PrivatePort: number; PublicPort?: number; Type: string };

function portsOf(ports: readonly EnginePort[]): PodPort[] {
  const bound = ports.flatMap(({ IP: ip = "", PrivatePort, PublicPort, Type }) =>
    PublicPort
      ? [{ containerPort: PrivatePort, protocol: Type, hostIp: ip, hostPort: PublicPort }]
      : [],
  );
  // The engine lists a port twice where the host has IPv6 too.
  return bound
    .filter(
      (port) =>
        port.hostIp !== "::" ||
        !bound.some((other) => other.hostIp === "0.0.0.0" && other.hostPort === port.hostPort),
    )
    .toSorted((a, b) => a.containerPort - b.containerPort || a.hostPort - b.hostPort);
}
