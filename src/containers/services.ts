import type Docker from "dockerode";
import type {
  RunningService,
  ServiceSpec,
  SiblingOptions,
  Siblings,
} from "../../runner/job/siblings.ts";
import type { ContainerBasics } from "./container-basics.ts";
import type { ContainerLease } from "./container-lease.ts";
import { createRequest, networksOf } from "./container-request.ts";
import { engineError, statusOf } from "./engine-error.ts";
import type { ImageSupply } from "./image-supply.ts";
import { ensureImage } from "./images.ts";
import { joinNetworks } from "./job-place.ts";
import { JOB_LABEL, jobLabels, KIND_LABEL, type Labels } from "./labels.ts";
import type { OptionFiles } from "./options/option-draft.ts";
import { type PortForwarder, startPortForwarder } from "./port-forwarder.ts";
import { withoutRefusedPort } from "./published-ports.ts";
import { type Leak, removeContainer } from "./remove-objects.ts";
import { inOrder, readLastLines } from "./services-log.ts";
import { readJobNetwork } from "./services-network.ts";
import { needsForwarder, openPorts } from "./services-ports.ts";
import { waitUntilReady, warnOfEnded, whyEnded } from "./services-ready.ts";
import { ofService, planService, SERVICE_LABEL, type ServicePlan } from "./services-request.ts";
import { unheldLimits } from "./unheld-limits.ts";

export type ServicesOptions = {
  readonly jobId: string;
  readonly runId: string;
  /** The job's own container, which runs. */
  readonly containerId: string;
  /** Whether the job has a `container:`: its services' ports are published on the host then, else put on the job's localhost. */
  readonly hasJobContainer: boolean;
  /** What the port forwarder is made from: an image with glibc, the volume with Node. */
  readonly forwarder: { readonly image: string; readonly nodeVolume: string | undefined };
  readonly supply?: ImageSupply | undefined;
  readonly files?: OptionFiles | undefined;
  /** Of each container beside Berth's own. */
  readonly labels?: Labels | undefined;
  /** Holds for each container by itself. */
  readonly lease?: ContainerLease | undefined;
  readonly basics?: ContainerBasics | undefined;
  onLeak(leak: Leak): void;
};

/** The services of one job. They are found by their labels, so that any life of the job can stop and remove them. */
export function serviceContainers(
  docker: Docker,
  options: ServicesOptions,
): Pick<Siblings, "startServices" | "stopServices"> {
  return {
    startServices: (services, step) => startServices(docker, services, { ...options, ...step }),
    stopServices: (step) => stopServices(docker, { ...options, ...step }),
  };
}

/** Removes a job's services and what forwards their ports, in any state. Never throws. */
export async function removeServices(
  docker: Docker,
  { jobId, onLeak }: Pick<ServicesOptions, "jobId" | "onLeak">,
): Promise<void> {
  const found = await findServices(docker, jobId).catch((cause: unknown) => {
    onLeak({ kind: "container", id: `of the services of ${jobId}`, cause });
    return [];
  });
  await Promise.all(
    found.map(({ Id: id }) =>
      removeContainer(docker, id).catch((cause) => onLeak({ kind: "container", id, cause })),
    ),
  );
}

type Work = ServicesOptions & SiblingOptions;

async function startServices(
  docker: Docker,
  services: readonly ServiceSpec[],
  work: Work,
): Promise<{ readonly [id: string]: RunningService }> {
  const { progress, signal } = work;
  await removeServices(docker, work);
  const plans = await planServices(docker, services, work);

  const { running, forwarder } = await startAll(docker, plans, work);
  const ports = await openPorts(docker, running, { forwarder, progress, signal });
  const started = running.map(({ plan, facts }) => ({
    id: plan.spec.id,
    image: plan.spec.image,
    containerId: facts.Id,
  }));
  await waitUntilReady(docker, started, { progress, signal });
  await warnOfEnded(docker, started, { progress, signal });

  return Object.fromEntries(
    running.map(({ plan: { spec, frame }, facts }) => [
      spec.id,
      {
        id: facts.Id,
        network: facts.NetworkSettings.Networks[frame.network]?.NetworkID ?? frame.network,
        ports: ports[spec.id] ?? {},
      },
    ]),
  );
}

async function planServices(
  docker: Docker,
  services: readonly ServiceSpec[],
  { jobId, runId, containerId, hasJobContainer, files, lease, basics, ...work }: Work,
): Promise<ServicePlan[]> {
  const network = await readJobNetwork(docker, containerId);
  const labels = { ...work.labels, ...jobLabels({ jobId, runId, kind: "service" }) };
  return services.map((spec) =>
    planService(spec, {
      name: containerName(jobId, `service.${spec.id}`),
      network,
      publishes: hasJobContainer,
      labels,
      files,
      lease,
      basics,
    }),
  );
}

type RunningContainer = { readonly plan: ServicePlan; readonly facts: Docker.ContainerInspectInfo };

/** Side by side. What one of them was made of when another failed is left to whoever removes the job's services. */
async function startAll(
  docker: Docker,
  plans: readonly ServicePlan[],
  work: Work,
): Promise<{ running: RunningContainer[]; forwarder: PortForwarder | undefined }> {
  const hasFailed = new AbortController();
  const signal = AbortSignal.any([work.signal, hasFailed.signal]);
  let failure: unknown;
  async function orFail<T>(starting: Promise<T>): Promise<T | undefined> {
    try {
      return await starting;
    } catch (error) {
      failure ??= error;
      hasFailed.abort();
      return undefined;
    }
  }

  const writers = inOrder(plans.length, work.progress);
  const [forwarder, ...running] = await Promise.all([
    plans.some(needsForwarder) ? orFail(startForwarder(docker, { ...work, signal })) : undefined,
    ...plans.map(async (plan, index) => {
      const { write = work.progress, end } = writers[index] ?? {};
      write(`##[group]Starting ${plan.spec.id} service container`);
      const facts = await orFail(startService(docker, plan, { ...work, signal, progress: write }));
      write("##[endgroup]");
      end?.();
      return { plan, facts };
    }),
  ]);
  work.signal.throwIfAborted();
  if (failure !== undefined) throw failure;
  return {
    running: running.flatMap(({ plan, facts }) => (facts === undefined ? [] : [{ plan, facts }])),
    forwarder,
  };
}

function startForwarder(
  docker: Docker,
  { jobId, runId, containerId, forwarder, labels, signal }: Work,
): Promise<PortForwarder> {
  const options = {
    name: containerName(jobId, "localhost"),
    jobContainer: containerId,
    labels: { ...labels, ...jobLabels({ jobId, runId, kind: "service" }) },
    ...forwarder,
  };
  return startPortForwarder(docker, options, signal);
}

async function startService(
  docker: Docker,
  { spec, wish, frame }: ServicePlan,
  { supply, progress, signal }: Work,
): Promise<Docker.ContainerInspectInfo> {
  try {
    for (const note of wish.options.notes) progress(note);
    for (const note of await unheldLimits(docker, wish)) progress(note);
    const image = await ensureImage(docker, spec.image, {
      credentials: spec.credentials,
      supply,
      platform: wish.options.platform,
      pull: wish.options.pull,
      progress,
      signal,
    });
    for (let current = wish; ; ) {
      // Creating takes no signal: a request that is given up half-way leaves behind what nobody knows of.
      signal.throwIfAborted();
      const container = await docker.createContainer(
        createRequest(current, { ...frame, image: image.name }),
      );
      try {
        await joinNetworks(docker, container.id, networksOf(current, frame).slice(1));
        signal.throwIfAborted();
        await container.start();
        return await container.inspect();
      } catch (error) {
        const yielded = withoutRefusedPort(current, error);
        if (yielded === undefined) throw error;
        progress(yielded.note);
        await removeContainer(docker, container.id);
        current = yielded.wish;
      }
    }
  } catch (error) {
    signal.throwIfAborted();
    throw ofService(spec.id, engineError(error, "start its container"));
  }
}

async function stopServices(docker: Docker, work: Work): Promise<void> {
  const { jobId, containerId, progress, signal } = work;
  try {
    const found = await findServices(docker, jobId);
    const services = found
      .filter(({ Labels: labels }) => labels[SERVICE_LABEL] !== undefined)
      .map(({ Id: id, Names: names }) => ({ id, name: (names[0] ?? id).replace(/^\//, "") }));
    for (const { id, name } of services) {
      progress(`##[group]Print service container logs: ${name}`);
      for (const line of await readLastLines(docker, id, signal)) progress(line);
      progress("##[endgroup]");
      const { State: state } = await docker.getContainer(id).inspect();
      const hasFailed = !state.Running && state.ExitCode !== 0;
      if (hasFailed) progress(`##[warning]${name} ended before the job did. ${whyEnded(state)}`);
    }
    for (const { name } of services) progress(`Stop and remove container: ${name}`);
    progress(`Remove container network: ${await readJobNetwork(docker, containerId)}`);
  } catch (error) {
    if (statusOf(error) !== 404) {
      progress(`##[warning]The logs of the services could not be read: ${String(error)}`);
    }
  }
  await removeServices(docker, work);
}

async function findServices(docker: Docker, jobId: string): Promise<Docker.ContainerInfo[]> {
  const label = [`${JOB_LABEL}=${jobId}`, `${KIND_LABEL}=service`];
  const found = await docker.listContainers({ all: true, filters: { label } });
  return found.sort((one, other) => one.Created - other.Created);
}

/** With a dot, which no job's own name has: the service `db` of the job `test` is no job `test-db`. */
function containerName(jobId: string, what: string): string {
  return `berth-${jobId}.${what}`.replace(/[^\w.-]+/g, "-");
}
