import type { Readable } from "node:stream";
import type Docker from "dockerode";
import { BerthError } from "../../runner/errors.ts";
import type { ContainerSpec, JobPlaceRequest } from "../../runner/job/container-spec.ts";
import {
  type ActionMount,
  actionMounts,
  actionVolumes,
  EmptiedActions,
  forgetEmptied,
  type KnownActions,
  needFilled,
} from "./action-volumes.ts";
import { guardedBridge } from "./block-metadata.ts";
import { type ContainerBasics, withBasics } from "./container-basics.ts";
import { type ContainerLease, withLease } from "./container-lease.ts";
import { type ContainerPlace, containerPlace } from "./container-place.ts";
import {
  type ContainerFrame,
  type ContainerWish,
  createRequest,
  endpointSettings,
  needsOwnNetwork,
  networksOf,
  readContainer,
} from "./container-request.ts";
import { attachContainer } from "./container-shell.ts";
import { resolveUser, type UserIds } from "./container-user.ts";
import { DOCKER_HOST, dindMount } from "./dind/dind-places.ts";
import {
  createDindVolume,
  createJobDind,
  dindName,
  type JobDind,
  needNetworkOfItsOwn,
} from "./dind/job-dind.ts";
import { startDind } from "./dind/start-dind.ts";
import { engineError, statusOf } from "./engine-error.ts";
import type { ImageSupply } from "./image-supply.ts";
import { ensureImage, type ImageFacts } from "./images.ts";
import {
  below,
  folderEntries,
  jobFolders,
  jobVolumes,
  ownedArchive,
  workspaceOf,
} from "./job-folders.ts";
import { joinSettings } from "./join-settings.ts";
import { jobLabels, type Labels } from "./labels.ts";
import type { NodeVolume } from "./node-volume.ts";
import type { Mount } from "./options/container-options.ts";
import type { OptionFiles } from "./options/option-draft.ts";
import { readBoundPorts, withoutRefusedPort } from "./published-ports.ts";
import { type Leak, removeContainer, removeNetwork, removeVolume } from "./remove-objects.ts";
import type { ContainerSettings } from "./settings.ts";
import { TOOL_CACHE_PATH, toolCacheEntries } from "./tool-cache.ts";
import { unheldLimits } from "./unheld-limits.ts";

export type JobPlaceOptions = {
  /** The image of a job without `container:`. */
  readonly image: string;
  /** Arguments for `/bin/sh` that make it a job's shell: `shellArgv(nonce)` of `runner/shell`. */
  readonly shellArgv: readonly string[];
  /** A name for "where", for events. */
  readonly hostName: string;
  /** Mounted read-only at `/__e`. */
  readonly nodeVolume?: NodeVolume | undefined;
  /** Labels beside Berth's own, such as what coming back needs. */
  readonly labels?: Labels;
  /** Of the job's profile; joined with its `container:`. */
  readonly settings?: ContainerSettings | undefined;
  readonly lease?: ContainerLease | undefined;
  readonly basics?: ContainerBasics | undefined;
  /** Whether packets from the job's network to metadata addresses are to be caught: see `block-metadata.ts`. */
  readonly hasGuardedNetwork?: boolean | undefined;
  /** The job's own Docker daemon. Default: none. */
  readonly dind?: JobDind | undefined;
  readonly files?: OptionFiles;
  readonly supply?: ImageSupply | undefined;
  /** Remembers who a user name is in which image; shared by a run's jobs it saves each one round trip. */
  readonly knownUsers?: Map<string, UserIds>;
  /** Remembers which volume holds which action; shared by a run's jobs it saves each the look-up. */
  readonly knownActions?: KnownActions;
  /** Counts the lives of the job from 1: what an earlier one may have asked for shall not stand in the way of this one. */
  readonly generation?: number | undefined;
  /** Asked before the container starts; throws when a later life of the job has begun meanwhile. */
  confirm?: (() => void) | undefined;
  progress(line: string): void;
  /** What disposing could not remove. */
  onLeak(leak: Leak): void;
  readonly signal: AbortSignal;
};

export const WORKSPACE_LABEL = "io.berth.workspace";
export const HOME_LABEL = "io.berth.home";

/**
 * Makes a job's network, volumes and container and starts its shell. Disposing removes them in any state.
 *
 * @throws {BerthError} `IMAGE_NOT_FOUND`, `IMAGE_UNUSABLE`, `CONTAINER_OPTION`, `ENGINE_REFUSED`, `ENGINE_LOST`; nothing is left.
 */
export async function openJobPlace(
  docker: Docker,
  request: JobPlaceRequest,
  options: JobPlaceOptions,
): Promise<ContainerPlace> {
  const { progress, signal } = options;
  const spec = joinSettings(request.container, options.settings, options.image);
  const labels = { ...options.labels, ...jobLabels({ ...request, kind: "job" }) };
  const asked = withBasics(readContainer(spec, labels, options.files ?? {}), options.basics);
  const wish = withLease(asked, options.lease, { getsGpus: "always" });
  for (const note of wish.options.notes) progress(note);
  for (const note of await unheldLimits(docker, wish)) progress(note);
  if (wish.options.config.Entrypoint !== undefined) {
    progress("--entrypoint changes nothing here: a job's container runs the shell for its steps.");
  }

  const imageReady = ensureImage(docker, spec.image, {
    credentials: spec.credentials,
    supply: options.supply,
    platform: wish.options.platform,
    pull: wish.options.pull,
    progress,
    signal,
  });
  const known: KnownActions = options.knownActions ?? new Map();
  const provideActions = () =>
    actionVolumes(docker, request.actions ?? [], {
      image: async () => (await imageReady).name,
      known,
      progress,
      signal,
    });
  const dindReady = Promise.resolve(options.dind?.image({ progress, signal }));
  const image = await settled(imageReady, provideActions(), dindReady);
  const user = wish.options.config.User ?? image.user;
  const plan = { request, options, spec, labels, image, user, dindImage: await dindReady };

  let current = wish;
  for (let emptiedTimes = 0; ; ) {
    try {
      return await makePlace(docker, current, { ...plan, actions: await provideActions() });
    } catch (error) {
      if (error instanceof EmptiedActions && emptiedTimes++ < 2) {
        await forgetEmptied(docker, error, known);
        signal.throwIfAborted();
        continue;
      }
      signal.throwIfAborted();
      const yielded = withoutRefusedPort(current, error);
      if (yielded === undefined) throw engineError(error, "make the job's container");
      progress(yielded.note);
      current = yielded.wish;
    }
  }
}

type PlacePlan = {
  readonly request: JobPlaceRequest;
  readonly options: JobPlaceOptions;
  readonly spec: ContainerSpec;
  readonly labels: Labels;
  readonly image: ImageFacts;
  readonly user: string;
  readonly actions: readonly ActionMount[];
  /** Of its own Docker daemon, where it gets one. */
  readonly dindImage: string | undefined;
};

async function makePlace(
  docker: Docker,
  wish: ContainerWish,
  plan: PlacePlan,
): Promise<ContainerPlace> {
  const { request, options, spec } = plan;
  const { signal } = options;
  const workspace = workspaceOf(request.repository);
  const home = request.container === undefined ? undefined : "/github/home";
  const frame = containerFrame(plan, workspace, home);
  const creation = createRequest(wish, frame);
  if (plan.dindImage !== undefined) needNetworkOfItsOwn(networksOf(wish, frame)[0]?.name);
  await using undo = new AsyncDisposableStack();
  undo.defer(() => removeMade("volume", volumeMade, docker, options));
  const volumeMade = plan.dindImage ? createDindVolume(docker, frame.name, plan.labels) : undefined;
  await volumeMade;

  // Side by side: the engine looks for the network only when the container starts. Neither takes the signal, since a request that
  // is given up half-way leaves behind what nobody knows of.
  const networkMade = needsOwnNetwork(wish)
    ? createNetwork(docker, frame.network, plan)
    : Promise.resolve(undefined);
  const containerMade = docker.createContainer(creation);
  undo.defer(() => removeMade("network", networkMade, docker, options));
  undo.defer(() => removeMade("container", containerMade, docker, options));
  const dindMade = containerMade.then((container) =>
    makeDind(docker, container, { wish, frame, plan }),
  );
  undo.defer(() => removeMade("container", dindMade, docker, options));
  const connected = containerMade.then(({ id }) => attachContainer(docker, id, signal));
  // An attach that nobody ends outlives a container that never started, and keeps this process.
  undo.defer(async () => (await connected.catch(() => undefined))?.[Symbol.asyncDispose]());
  const connection = await settled(
    connected,
    networkMade,
    containerMade.then(needShell),
    containerMade.then((container) => makeFolders(container, wish, plan)),
    containerMade.then(() => needFilled(docker, plan.actions)),
    containerMade.then(({ id }) => joinNetworks(docker, id, networksOf(wish, frame).slice(1))),
    dindMade,
  );
  const [container, network, dind] = await Promise.all([containerMade, networkMade, dindMade]);
  signal.throwIfAborted();
  options.confirm?.();
  await container.start();
  if (dind !== undefined && options.dind !== undefined) {
    options.progress(
      `Starting the job's own Docker daemon (${options.dind.mode}) from ${plan.dindImage}`,
    );
    await startDind(docker, dind, { ...options.dind, signal });
  }
  const ports = wish.ports.length === 0 ? [] : await readBoundPorts(container);

  const kept = undo.move();
  return containerPlace(docker, {
    host: options.hostName,
    image: spec.image,
    containerId: container.id,
    networkId: network?.id,
    ports,
    workspace,
    home,
    connection,
    remove: () => kept.disposeAsync(),
  });
}

function containerFrame(
  { request, options, labels, image, actions, dindImage }: PlacePlan,
  workspace: string,
  home: string | undefined,
): ContainerFrame {
  const { generation = 1 } = options;
  const life = generation === 1 ? "" : `-${generation}`;
  const name = `berth-${request.jobId.replace(/[^\w.-]+/g, "-")}${life}`;
  return {
    name,
    image: image.name,
    isShell: true,
    entrypoint: ["/bin/sh"],
    command: options.shellArgv,
    workingDir: workspace,
    env: [
      ...(home === undefined ? [] : [`HOME=${home}`]),
      ...(dindImage === undefined ? [] : [DOCKER_HOST]),
    ],
    labels: {
      ...labels,
      [WORKSPACE_LABEL]: workspace,
      ...(home !== undefined && { [HOME_LABEL]: home }),
    },
    network: name,
    mounts: [
      ...ownMounts(request.repository, labels, options.nodeVolume),
      ...actionMounts(actions),
      ...(dindImage === undefined ? [] : [dindMount(dindName(name))]),
    ],
  };
}

async function makeDind(
  docker: Docker,
  container: Docker.Container,
  { wish, frame, plan }: { wish: ContainerWish; frame: ContainerFrame; plan: PlacePlan },
): Promise<Docker.Container | undefined> {
  const { request, options, dindImage, image } = plan;
  if (options.dind === undefined || dindImage === undefined) return undefined;
  const name = dindName(frame.name);
  return await createJobDind(docker, container, {
    mode: options.dind.mode,
    image: dindImage,
    name,
    volume: name,
    labels: { ...options.labels, ...jobLabels({ ...request, kind: "dind" }) },
    limits: wish.options.host,
    path: image.path,
    isReadOnly: wish.options.host.ReadonlyRootfs === true,
  });
}

function ownMounts(
  repository: string,
  labels: Labels,
  nodeVolume: NodeVolume | undefined,
): Mount[] {
  const fresh = jobVolumes(repository).map(
    (path): Mount => ({
      Type: "volume",
      Target: path,
      VolumeOptions: { NoCopy: true, Labels: { ...labels } },
    }),
  );
  const node: Mount[] =
    nodeVolume === undefined
      ? []
      : [{ Type: "volume", Source: nodeVolume.name, Target: "/__e", ReadOnly: true }];
  return [...fresh, ...node];
}

async function createNetwork(
  docker: Docker,
  name: string,
  { labels, options }: PlacePlan,
): Promise<Docker.Network> {
  return docker.createNetwork({
    Name: name,
    Driver: "bridge",
    CheckDuplicate: true,
    Labels: { ...labels },
    ...(options.hasGuardedNetwork && { Options: guardedBridge() }),
  });
}

/** Never throws: what stays is reported, and the sweep comes after. */
async function removeMade(
  kind: "network" | "container" | "volume",
  made: Promise<{ readonly id: string } | undefined> | undefined,
  docker: Docker,
  { onLeak }: JobPlaceOptions,
): Promise<void> {
  const object = await made?.catch(() => undefined);
  if (object === undefined) return;
  const remove = { container: removeContainer, network: removeNetwork, volume: removeVolume };
  await remove[kind](docker, object.id).catch((cause) => onLeak({ kind, id: object.id, cause }));
}

/** Asked beforehand: with an init process the container starts, and ends at once, with the reason among its output. */
async function needShell(container: Docker.Container): Promise<void> {
  try {
    const answer: Readable = await container.infoArchive({ path: "/bin/sh" });
    answer.resume(); // unread, it would hold its socket, and this process, for good
  } catch (cause) {
    if (statusOf(cause) !== 404) throw cause;
    throw new BerthError("IMAGE_UNUSABLE", {
      message: "The image has no /bin/sh, so no step can be run in it.",
      remedy: 'Use an image with a shell; images made from scratch or "distroless" ones have none.',
      cause,
    });
  }
}

/** Gives the job's user the folders of its volumes, in one archive where the engine lets us write to the whole container. */
async function makeFolders(
  container: Docker.Container,
  wish: ContainerWish,
  { request, options, image, user }: PlacePlan,
): Promise<void> {
  const key = `${image.id} ${user}`;
  const owner = options.knownUsers?.get(key) ?? (await resolveUser(container, user));
  options.knownUsers?.set(key, owner);

  const replaced = new Set(wish.mounts.map(({ Target }) => Target.replace(/\/+$/, "")));
  const volumes = Object.entries(jobFolders(request.repository)).filter(
    ([volume]) => !replaced.has(volume),
  );
  const entriesOf = (volume: string, names: readonly string[]) => [
    ...folderEntries(names),
    ...(volume === TOOL_CACHE_PATH ? toolCacheEntries(options.nodeVolume?.nodes ?? []) : []),
  ];
  if (wish.options.host.ReadonlyRootfs !== true) {
    const entries = volumes.flatMap(([volume, names]) => below(volume, entriesOf(volume, names)));
    await container.putArchive(await ownedArchive(entries, owner), { path: "/" });
    return;
  }
  for (const [volume, names] of volumes) {
    const archive = await ownedArchive(entriesOf(volume, names), owner);
    await container.putArchive(archive, { path: volume });
  }
}

/** Joins the networks that cannot be named when a container is created. */
export async function joinNetworks(
  docker: Docker,
  containerId: string,
  networks: ReturnType<typeof networksOf>,
): Promise<void> {
  for (const network of networks) {
    const settings = { Container: containerId, EndpointConfig: endpointSettings(network) };
    await docker.getNetwork(network.name).connect(settings);
  }
}

/** One result once everything has come to rest, so that nothing still works on what is about to be removed. */
async function settled<T>(work: Promise<T>, ...others: Promise<unknown>[]): Promise<T> {
  await Promise.allSettled([work, ...others]);
  await Promise.all(others);
  return work;
}
