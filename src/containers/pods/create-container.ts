import { randomBytes } from "node:crypto";
import { BerthError, textOf } from "../../../runner/errors.ts";
import type { Engine } from "../connect-engine.ts";
import { ensureImage, type ImageFacts, inspectImage } from "../images.ts";
import { readBoundPorts } from "../published-ports.ts";
import { chooseEngines, type EngineChoice } from "./choose-engine.ts";
import { claimForPod } from "./claim-for-pod.ts";
import { logIn, NO_LOGIN } from "./log-in.ts";
import { makeVolumes } from "./make-volumes.ts";
import type { PodAnswer, PodLogin, SetupAttempt } from "./pod-answer.ts";
import type { PodHost } from "./pod-host.ts";
import type { PodRequest } from "./pod-request.ts";
import { type PodWish, type ReadPodOptions, readPodRequest } from "./pod-wish.ts";
import { startOnPorts } from "./start-on-ports.ts";
import { undoList } from "./undo-list.ts";

export type CreateContainerOptions = ReadPodOptions & {
  /** Whether an engine that runs as root may do where there is no rootless one; default yes. */
  readonly allowsSudo?: boolean | undefined;
  /** Public keys, one line each as in authorized_keys, of those who may log in as `setupUser`. */
  readonly keys?: readonly string[] | undefined;
  /** Fails, and leaves nothing, where `setupUser` cannot log in. */
  readonly requiresUser?: boolean | undefined;
  /** Where a private key lies that fits `keys`, for the printed command. */
  readonly identityFile?: string | undefined;
  /** Hears what goes on: pulls, packages. */
  progress(line: string): void;
  readonly signal: AbortSignal;
};

/**
 * Makes and starts a container for a person, on a rootless engine where there is one. All or nothing: what a failed attempt had made is removed, and the error
 * says so.
 *
 * @throws {BerthError} `CONTAINER_OPTION` for what is wrong with the request, `ENGINE_NOT_FOUND`, `IMAGE_NOT_FOUND`, `HOST_UNUSABLE` where GPUs are asked for
 * and not to be had, `PORT_IN_USE`, `ENGINE_REFUSED`, `SETUP_FAILED` where a user is required and cannot log in.
 */
export async function createContainer(
  host: PodHost,
  request: PodRequest,
  options: CreateContainerOptions,
): Promise<PodAnswer> {
  const wish = readPodRequest(request, options);
  const { signal } = options;
  const setup = (await host.setUp?.({ gpu: wish.gpu !== undefined }, signal)) ?? [];
  const choices = chooseEngines(await host.engines(signal), {
    host: host.name,
    namedBy: host.namedBy,
    allowsSudo: options.allowsSudo ?? true,
    needsLimits: wish.limits.Memory !== undefined || wish.limits.NanoCpus !== undefined,
  });

  const [first, ...others] = choices;
  if (first === undefined) throw new Error("an engine is chosen, or an error says why not");
  try {
    return await createOn(first, { host, wish, setup }, options);
  } catch (error) {
    const next = others.find(({ engine }) => !engine.rootless);
    if (!first.engine.rootless || next === undefined || !isRefusal(error)) throw error;
    const reason = `The rootless engine of ${host.name} refused: ${textOf(error)}`;
    options.progress(`${reason} The system's engine is tried.`);
    const choice = { engine: next.engine, fallbackReason: reason };
    return await createOn(choice, { host, wish, setup }, options);
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof BerthError && error.code === "ENGINE_REFUSED";
}

type Order = {
  readonly host: PodHost;
  readonly wish: PodWish;
  readonly setup: readonly SetupAttempt[];
};

async function createOn(
  { engine: chosen, fallbackReason }: EngineChoice,
  { host, wish, setup }: Order,
  options: CreateContainerOptions,
): Promise<PodAnswer> {
  const { signal } = options;
  const engine = await host.connect(chosen.endpoint, signal);
  const image = await haveImage(engine, { host, wish }, options);
  const podId = randomBytes(6).toString("hex");
  const undo = undoList();
  try {
    const volumes = await makeVolumes(engine.docker, { podId, wish, image }, undo);
    const gpus = await claimForPod(host, { wish: wish.gpu, podId, engine }, { undo, signal });
    signal.throwIfAborted();
    const started = await startOnPorts(
      engine.docker,
      { podId, wish, image, mounts: volumes.mounts, gpus: gpus.claim },
      { undo, signal, isLocal: host.isLocal },
    );
    const login = await loginOf(engine, { host, wish, id: started.id }, options);
    const container = engine.docker.getContainer(started.id);
    const { State: state } = await container.inspect();
    const given = started.gpus;
    return {
      id: started.id,
      name: started.name,
      image: image.name,
      state: state.Status,
      host: host.name,
      engine: engine.endpoint,
      rootless: chosen.rootless,
      fallbackReason,
      ports: await readBoundPorts(container),
      gpuEnabled: given.length > 0,
      gpuCount: given.length,
      gpuModel: given[0]?.model ?? null,
      gpuUuids: given.map(({ uuid }) => uuid),
      ...login,
      volumes: volumes.made,
      warnings: [
        ...wish.warnings,
        ...gpus.warnings,
        ...started.warnings,
        ...limitWarnings(chosen, wish),
        ...(state.Running ? [] : [hasEnded(state.ExitCode)]),
      ],
      setup: [...setup],
    };
  } catch (error) {
    const report = await undo.run();
    throw withUndone(error, report);
  }
}

function limitWarnings(engine: EngineChoice["engine"], { limits }: PodWish): string[] {
  const asks = limits.Memory !== undefined || limits.NanoCpus !== undefined;
  if (engine.enforcesLimits || !asks) return [];
  return [
    "The engine takes limits of memory and CPUs, and cannot enforce them (cgroup v1 without root).",
  ];
}

function hasEnded(exitCode: number): string {
  return `The container has ended already, with exit code ${exitCode}: see berth container logs. A command that stays, like sleep infinity, keeps it.`;
}

async function haveImage(
  engine: Engine,
  { host, wish }: Pick<Order, "host" | "wish">,
  { progress, signal }: CreateContainerOptions,
): Promise<ImageFacts> {
  const { image, pull } = wish;
  if (pull === "missing") {
    const present = await inspectImage(engine.docker, image);
    if (present !== undefined) return present;
    const brought = await host.bringImage?.(image, engine, signal);
    if (brought !== undefined) return brought;
  }
  const { dockerConfigDir } = engine;
  const supply = { dockerConfigDir, registries: host.registries };
  return await ensureImage(engine.docker, image, { supply, pull, progress, signal });
}

async function loginOf(
  engine: Engine,
  { host, wish, id }: Pick<Order, "host" | "wish"> & { readonly id: string },
  { keys = [], requiresUser, identityFile, progress, signal }: CreateContainerOptions,
): Promise<PodLogin> {
  const { setupUser } = wish;
  if (setupUser === undefined) return NO_LOGIN;
  const place = { host: host.name, address: host.address, identityFile };
  const login = await logIn(engine, id, { user: setupUser, keys, place, progress, signal });
  if (!requiresUser || login.userReady) return login;
  throw new BerthError("SETUP_FAILED", {
    message: `The user ${setupUser} is required, and cannot log in: ${login.userError}`,
    remedy: "Correct that, or leave --require-user out to keep the container without a user.",
  });
}

/** The same error, with a sentence of what became of the attempt. */
function withUndone(error: unknown, report: string): unknown {
  if (!(error instanceof BerthError)) return error;
  const { code, message, remedy, cause } = error;
  return new BerthError(code, { message: `${message} ${report}`, remedy, cause: cause ?? error });
}
