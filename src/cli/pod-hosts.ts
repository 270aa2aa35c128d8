import { BerthError, textOf } from "../../runner/errors.ts";
import { podGpus } from "../claim-pod-gpus.ts";
import { connectEngine, type Engine } from "../containers/connect-engine.ts";
import { copyImage } from "../containers/copy-image.ts";
import { inspectImage } from "../containers/images.ts";
import { findPod } from "../containers/pods/find-pod.ts";
import { type FoundPod, listPods } from "../containers/pods/list-pods.ts";
import type { PodHost } from "../containers/pods/pod-host.ts";
import type { HostAccess } from "../hosts/host-access.ts";
import { openHost } from "../hosts/open-host.ts";
import type { SetupMode } from "../hosts/setup/setup-on-demand.ts";
import { type PodHostOptions, podHostOf } from "../pod-host.ts";
import { setUpForPod } from "../set-up-for-pod.ts";
import { hostTarget } from "./host-target.ts";
import { findHost, readHosts } from "./read-hosts.ts";
import { thisMachine } from "./this-machine.ts";

/** What all of `berth container` share. */
export type HostFlags = {
  readonly host?: string;
  readonly docker?: string;
  readonly config?: string;
  readonly logLevel?: string;
  /** Of `create`. */
  readonly setup?: SetupMode;
};

/** A host that a command works on, open as long as the command runs. */
export type OpenPodHost = AsyncDisposable & { readonly host: PodHost; readonly access: HostAccess };

const THIS_MACHINE = "localhost";
const ALL_PARTS = ["docker", "rootless", "toolkit", "driver"] as const;

/**
 * The one host that a container is made on: `--host`, else this machine.
 *
 * @throws {BerthError} `USAGE`, `CONFIG_INVALID`
 */
export async function openPodHost(flags: HostFlags): Promise<OpenPodHost> {
  if (flags.host === undefined) return await openThisMachine(flags);
  if (flags.docker !== undefined) {
    throw new BerthError("USAGE", {
      message: "--host and --docker name two places for one container.",
      remedy: "Keep one of them.",
    });
  }
  const { host, config } = findHost(flags.host, flags.config);
  const { engine } = host;
  const access = await openHost(hostTarget(host), { connect: thisMachine(flags) });
  const images = borrowImages(flags, (line) => void process.stderr.write(`${line}\n`));
  const namedBy =
    engine === undefined ? namedEngine(access, "berth.yml") : `\`engine: ${engine}\` of berth.yml`;
  const { registries } = config.network;
  return opened(access, { namedBy, registries, ...podGpus(access), ...images, setUp: setUpOf() });

  function setUpOf() {
    const { mode, allow } = host.setup;
    return setUpForPod(access, { mode: flags.setup ?? mode, allow });
  }
}

async function openThisMachine(flags: HostFlags): Promise<OpenPodHost> {
  const connect = thisMachine(flags);
  const access = await openHost({ name: THIS_MACHINE }, { connect });
  const by = flags.docker === undefined ? "DOCKER_HOST" : "--docker";
  const namedBy = namedEngine(access, by);
  const mode = flags.setup ?? "plan";
  // Whoever names an engine wants no other.
  const setUp = namedBy === undefined ? setUpForPod(access, { mode, allow: ALL_PARTS }) : undefined;
  return opened(access, { namedBy, ...podGpus(access), setUp });
}

/** An image that a host lacks and this machine's engine has is streamed there. */
export function borrowImages(
  flags: Pick<HostFlags, "logLevel">,
  progress: (line: string) => void,
): Pick<PodHostOptions, "bringImage"> {
  return {
    async bringImage(image, to, signal) {
      const from = await connectEngine(thisMachine(flags)).catch(() => undefined);
      if (from === undefined) return undefined;
      const isThere = await copyImage(image, {
        from: from.docker,
        to: to.docker,
        progress,
        signal,
      });
      return isThere ? await inspectImage(to.docker, image) : undefined;
    },
  };
}

function namedEngine({ hasNamedEngine }: HostAccess, by: string): string | undefined {
  return hasNamedEngine ? by : undefined;
}

function opened(access: HostAccess, options: PodHostOptions): OpenPodHost {
  return {
    access,
    host: podHostOf(access, options),
    [Symbol.asyncDispose]: () => access[Symbol.asyncDispose](),
  };
}

/** What was found where, and where nothing could be asked. */
export type FoundPods = AsyncDisposable & {
  readonly pods: readonly FoundPod[];
  readonly engines: readonly Engine[];
  readonly silent: readonly { readonly host: string; readonly why: string }[];
  hostOf(pod: FoundPod): OpenPodHost;
};

/**
 * Containers of `--host`, else of this machine and of all hosts of the configuration. One that does not answer is told, and does not keep from the others.
 *
 * @throws {BerthError} `USAGE`, `CONFIG_INVALID`; what the one host says that was named.
 */
export async function findPods(flags: HostFlags, signal: AbortSignal): Promise<FoundPods> {
  const hosts = await openAll(flags);
  const isOne = hosts.length === 1;
  const looked = await Promise.all(
    hosts.map(async (open) => {
      try {
        return { open, found: await podsOf(open.host, signal) };
      } catch (error) {
        signal.throwIfAborted();
        if (isOne) throw error;
        return { open, why: textOf(error) };
      }
    }),
  );
  const answers = looked.flatMap((one) => (one.found === undefined ? [] : [one]));
  const pods = answers.flatMap(({ found }) => found.flatMap((each) => each.pods));
  return {
    pods: onceEach(pods),
    engines: answers.flatMap(({ found }) => found.map(({ engine }) => engine)),
    silent: looked.flatMap(({ open, why }) =>
      why === undefined ? [] : [{ host: open.host.name, why }],
    ),
    hostOf({ pod }) {
      const open = hosts.find(({ host }) => host.name === pod.host);
      if (open === undefined) throw new Error(`${pod.host} is not open`);
      return open;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(hosts.map((open) => open[Symbol.asyncDispose]()));
    },
  };
}

async function openAll(flags: HostFlags): Promise<OpenPodHost[]> {
  if (flags.host !== undefined) return [await openPodHost(flags)];
  const here = await openThisMachine(flags);
  if (flags.docker !== undefined) return [here];
  const { hosts = [] } = readHosts(flags.config) ?? {};
  const others = hosts.map(({ name }) => openPodHost({ ...flags, host: name }));
  return [...(await Promise.all(others)), here];
}

/** A host of the configuration may be this machine as well: its name there counts. */
function onceEach(pods: readonly FoundPod[]): FoundPod[] {
  const known = new Set<string>();
  return pods.filter(({ pod: { id } }) => !known.has(id) && known.add(id));
}

async function podsOf(
  host: PodHost,
  signal: AbortSignal,
): Promise<{ engine: Engine; pods: FoundPod[] }[]> {
  const usable = (await host.engines(signal)).filter((engine) => engine.usable);
  return await Promise.all(
    usable.map(async ({ endpoint }) => {
      const engine = await host.connect(endpoint, signal);
      return { engine, pods: await listPods(host.name, engine) };
    }),
  );
}

/** The one that a person means, and its host. */
export async function findOnePod(
  text: string,
  found: FoundPods,
): Promise<{ pod: FoundPod; open: OpenPodHost }> {
  for (const { host, why } of found.silent) {
    process.stderr.write(`berth: ${host} could not be asked: ${why}\n`);
  }
  const pod = await findPod(text, found.pods, found.engines);
  return { pod, open: found.hostOf(pod) };
}
