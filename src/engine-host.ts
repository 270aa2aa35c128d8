import { hostname } from "node:os";
import type PQueue from "p-queue";
import { BerthError, textOf } from "../runner/errors.ts";
import { deathOf } from "../runner/job/job-death.ts";
import { containerPlaces } from "./container-places.ts";
import type { Engine } from "./containers/connect-engine.ts";
import type { ContainerLease } from "./containers/container-lease.ts";
import type { UserIds } from "./containers/container-user.ts";
import { findJobContainer } from "./containers/find-job-container.ts";
import { jobsOfService, removeJob } from "./containers/gc.ts";
import { holdJobContainer } from "./containers/hold-job-container.ts";
import { logInToJob } from "./containers/job-login.ts";
import { SERVED_LABEL } from "./containers/labels.ts";
import type { Leak } from "./containers/remove-objects.ts";
import { dindOfTerms } from "./dind-of-terms.ts";
import type { HostPlaces, PlaceTerms } from "./fleet/host-places.ts";
import { claimForJob, gpuAccessOf, hostGpusOf } from "./host-gpus-of.ts";
import { capabilityOf } from "./hosts/capability-of.ts";
import { networkBasics } from "./job-network.ts";
import type { Log } from "./log.ts";
import type { Capability } from "./profiles/capability.ts";
import { chooseEngine } from "./profiles/choose-engine.ts";
import { type ReadyEngine, type ReadyEnginesOptions, readyEngines } from "./ready-engines.ts";
import { tryEngines } from "./try-engines.ts";

export type EngineHostOptions = ReadyEnginesOptions & {
  readonly slots: number;
  /** On all that is made for jobs, so that the next life of this service finds it. */
  readonly serviceId: string;
};

/** Of GPUs that were leased, and that the job's container did not get. */
const UNFIT = "was not what the container of the last job got; it is tried again in ten minutes";
/** Jobs that run already come before those that are to begin. */
const COMING_BACK = 1;
const BOOT_ID_LIMIT_MS = 10_000;

/**
 * A machine's container engines as a host, wherever the machine is. None need answer yet: each `probe` looks for them anew and makes what they lack. The
 * host is closed together with this, and not before.
 */
export function openEngineHost(options: EngineHostOptions): HostPlaces {
  const { access, slots, serviceId, log } = options;
  const { name } = access;
  const engines = readyEngines(options);
  const trials = tryEngines(engines, options);
  const knownUsers = new Map<string, UserIds>();
  let known: Capability | undefined;
  /** Endpoints of engines that jobs may be on. */
  const everUsable = new Set<string | undefined>();
  const gpus = hostGpusOf({
    ...{ access, log, owner: `service/${serviceId}`, engines: everyEngine },
  });
  const onLeak = ({ kind, id, cause }: Leak) =>
    log.warn({ host: name, kind, id, cause: textOf(cause) }, "could not be removed yet");

  async function look(signal: AbortSignal): Promise<Capability> {
    // Berth's own engine is started again before anybody looks for it.
    await access.engine(undefined, signal);
    const facts = trials.recall(await access.probe(signal));
    const capability = capabilityOf(facts, name, { onlyDefault: access.hasNamedEngine });
    const isFirst = known === undefined;
    known = capability;
    for (const { usable, endpoint } of capability.engines) if (usable) everUsable.add(endpoint);
    await engines.anew(capability.engines[0]?.endpoint, signal);
    // Trials take a while: the first jobs need not wait for them.
    if (!isFirst) trials.begin(facts);
    if (capability.gpus.some(({ usable }) => usable)) await lookAtGpus(signal);
    return capability;
  }

  /** Jobs without GPUs can run where this fails. */
  async function lookAtGpus(signal: AbortSignal): Promise<void> {
    try {
      await gpus?.look(signal);
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ host: name, cause: textOf(error) }, "it is not known who uses the GPUs");
    }
  }

  /** A job that runs already is on the engine that it was given to, whatever is known of engines now. */
  async function engineFor(need: PlaceTerms["need"], signal: AbortSignal, endpoint?: string) {
    const host = known ?? (await look(signal));
    const itsOwn = host.engines.find((one) => endpoint !== undefined && one.endpoint === endpoint);
    const engine = itsOwn ?? chooseEngine(need, host.engines) ?? host.engines[0];
    return { host, engine, ready: await engines.once(engine?.endpoint, signal) };
  }

  /** All that this host's jobs may be on, also those that no job would be given to now; those that do not answer are left out. */
  async function everyEngine(): Promise<Engine[]> {
    const opened = await openEngines();
    const [first] = opened;
    if (first?.status === "rejected") throw first.reason;
    return opened.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  }

  async function openEngines(): Promise<PromiseSettledResult<Engine>[]> {
    const signal = AbortSignal.timeout(60_000);
    const endpoints = everUsable.size === 0 ? [undefined] : [...everUsable];
    return await Promise.allSettled(endpoints.map((endpoint) => access.engine(endpoint, signal)));
  }

  async function findJob(jobId: string) {
    for (const engine of await everyEngine()) {
      const container = await findJobContainer(engine.docker, jobId);
      if (container !== undefined) return { engine, container };
    }
    return undefined;
  }

  return {
    name,
    slots,
    async probe(signal) {
      try {
        return await look(signal);
      } catch (error) {
        signal.throwIfAborted();
        throw unusable(name, error);
      }
    },
    openPlace: (terms) => async (request, opening) => {
      const isComingBack = (opening.journal?.checkpoints.length ?? 0) > 0;
      const found = isComingBack ? await findJob(request.jobId) : undefined;
      const at = found?.engine.endpoint;
      const { ready, host, engine } = await engineFor(terms.need, opening.signal, at);
      const { gpus: uuids } = terms.lease;
      const own = { host, engine, shell: access.shell };
      const gpuAccess = await gpuAccessOf(uuids, own, opening.signal);
      const place = placeOptions(ready, options, { ...terms, gpuAccess });
      const onCut = (cut: BerthError | undefined) => {
        tellCut(log, { host: name, job: request.jobId }, cut);
        terms.onCut?.(cut);
      };
      const open = containerPlaces({ ...place, knownUsers, onLeak, onCut });
      return await inTurn(ready.opening, () => open(request, opening), {
        priority: isComingBack ? COMING_BACK : 0,
        signal: opening.signal,
      }).catch((error: unknown) => {
        if (deathOf(error) === "gpu-mismatch") gpus?.quarantine(uuids, UNFIT);
        throw error;
      });
    },
    withheldGpus: () => gpus?.withheld() ?? [],
    async claimGpus({ id, lease, need }, signal) {
      if (gpus === undefined) return { [Symbol.asyncDispose]: async () => {} };
      const { host, ready } = await engineFor(need, signal);
      const wish = { job: id, uuids: lease.gpus, engine: ready.engine, host };
      return await claimForJob(gpus, wish, signal);
    },
    async findContainer(jobId) {
      const found = await findJob(jobId);
      return found && { ...found.container, endpoint: found.engine.endpoint };
    },
    keeping: {
      async hold(jobId, seconds) {
        const found = await findJob(jobId);
        if (found === undefined) return false;
        const { engine, container } = found;
        return await holdJobContainer(engine.docker, container.containerId, seconds);
      },
      async logIn(jobId, { keys, limitMs, signal }) {
        const found = await findJob(jobId);
        if (found === undefined) return { problem: "Its container does not run any more." };
        const { engine, container } = found;
        const own = known?.engines.find(({ endpoint }) => endpoint === engine.endpoint);
        const { endpoint } = own ?? known?.engines[0] ?? {};
        const { jobImage: image, nodeVolume } = await engines.once(endpoint, signal);
        return await logInToJob(engine.docker, container.containerId, {
          ...{ keys, limitMs, signal, host: name },
          // Whoever logs in sits elsewhere.
          address: access.address === "localhost" ? hostname() : access.address,
          forwarder: { image, nodeVolume: nodeVolume.name },
          labels: { [SERVED_LABEL]: serviceId },
          progress: (line) => log.debug({ host: name, job: jobId, line }, "makes a login"),
        });
      },
    },
    async removeJob(jobId) {
      try {
        for (const { docker } of await everyEngine()) await removeJob(docker, jobId, onLeak);
      } catch (error) {
        log.warn({ host: name, job: jobId, cause: textOf(error) }, "could not be removed yet");
      }
    },
    async jobsWithRemains() {
      const found = await Promise.all(
        (await openEngines()).map((opened) => {
          // What it holds is not known then, and no answer would say so.
          if (opened.status === "rejected") throw opened.reason;
          return jobsOfService(opened.value.docker, serviceId);
        }),
      );
      return [...new Set(found.flat())];
    },
    async bootId() {
      const limits = { limitMs: BOOT_ID_LIMIT_MS, signal: AbortSignal.timeout(BOOT_ID_LIMIT_MS) };
      const answer = access.shell?.run("cat /proc/sys/kernel/random/boot_id", limits);
      return (await answer?.catch(() => undefined))?.stdout.trim() || undefined;
    },
    ...(access.onChange && { onChange: access.onChange }),
    // Jobs outlive the service.
    async [Symbol.asyncDispose]() {
      await trials[Symbol.asyncDispose]();
      await access[Symbol.asyncDispose]();
    },
  };
}

function tellCut(
  log: Log,
  job: { readonly host: string; readonly job: string },
  cut: BerthError | undefined,
): void {
  if (cut === undefined) log.info(job, "connection to a job is there again");
  else log.warn({ ...job, why: textOf(cut) }, "connection to a job is cut, it is made anew");
}

function placeOptions(
  { engine, jobImage, nodeVolume, certificates, isGuarded }: ReadyEngine,
  { access, serviceId, connect, supply, network = {} }: EngineHostOptions,
  terms: PlaceTerms & Pick<ContainerLease, "gpuAccess">,
) {
  const { lease, image, settings, gpuAccess } = terms;
  return {
    engine,
    hostName: access.name,
    nodeVolume,
    jobImage,
    imageFor: () => image || settings?.image || jobImage,
    labels: { [SERVED_LABEL]: serviceId },
    supply,
    settings,
    basics: networkBasics(network, certificates),
    lease: { ...containerLease(lease, settings), gpuAccess },
    dind: dindOfTerms(engine, terms, { stateFolder: connect.stateDir, supply }),
    hasGuardedNetwork: isGuarded,
    keeps: terms.keep?.isWanted,
    keepSeconds: terms.keep?.seconds,
  };
}

function containerLease(
  { cpus, memoryBytes, gpus }: PlaceTerms["lease"],
  settings: PlaceTerms["settings"],
): ContainerLease {
  return {
    cpus,
    memoryBytes,
    gpus,
    allowsSwap: settings?.resources?.memorySwap !== undefined,
  };
}

function unusable(name: string, error: unknown): BerthError {
  if (error instanceof BerthError && error.code === "HOST_UNUSABLE") return error;
  const remedy = error instanceof BerthError ? error.remedy : undefined;
  return new BerthError("HOST_UNUSABLE", {
    message: `The host ${name} cannot run jobs now. ${textOf(error)}`,
    remedy: remedy ?? "See `berth doctor` and `berth host probe` on that machine.",
    cause: error,
  });
}

/** Waits only as long as `signal` lets it. Once it is its turn, what is opened has to end by itself: it has something to remove. */
async function inTurn<T>(
  queue: PQueue,
  open: () => Promise<T>,
  { priority, signal }: { readonly priority: number; readonly signal: AbortSignal },
): Promise<T> {
  const waiting = new AbortController();
  const giveUp = () => waiting.abort(signal.reason);
  signal.throwIfAborted();
  signal.addEventListener("abort", giveUp, { once: true });
  return await queue.add(
    async () => {
      signal.removeEventListener("abort", giveUp);
      return await open();
    },
    { priority, signal: waiting.signal },
  );
}
