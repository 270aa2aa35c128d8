import { RUN_LABEL } from "../../src/containers/labels.ts";
import { testEngine } from "../engine.ts";

/** What the engine has of a run: `kind id`. */
export async function objectsOfRun(run: string): Promise<string[]> {
  const { docker } = await testEngine();
  const filters = { label: [`${RUN_LABEL}=${run}`] };
  const [containers, networks, { Volumes: volumes }] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listNetworks({ filters }),
    docker.listVolumes({ filters }),
  ]);
  return [
    ...containers.map(({ Id }) => `container ${Id}`),
    ...networks.map(({ Id }) => `network ${Id}`),
    ...volumes.map(({ Name }) => `volume ${Name}`),
  ];
}
