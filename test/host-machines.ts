import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import type Docker from "dockerode";
import { type Pack, pack } from "tar-stream";
import { OWNER_LABEL } from "../src/containers/labels.ts";
import { isOwnerAlive } from "../src/containers/owner.ts";
import { removeContainer, removeNetwork } from "../src/containers/remove-objects.ts";
import { prepare, testEngine } from "./engine.ts";
import {
  createHostContainer,
  type Exec,
  execOn,
  HOST_LABEL,
  type HostUser,
  untilReady,
} from "./host-container.ts";
import { HOST_REPOSITORY, hostImage } from "./host-image.ts";
import { type HostAddress, HostNetwork } from "./host-network.ts";
import { loadJobImage, provideHostSeed } from "./host-seed.ts";
import { scriptedGpus } from "./scripted-gpus.ts";

export type HostMachineOptions = {
  /** Host name, and part of the container's. */
  readonly name?: string;
  /** Default true. Without one it is a bare Debian 12 with sshd, for tests of set-up. */
  readonly engine?: boolean;
  /**
   * Default false. Has the job image and the volume with Node from the start (costs nothing; copying them costs 5 to 10 s). They are mounts, and cannot
   * be removed from its engine.
   */
  readonly jobImage?: boolean;
  /** UUIDs of GPUs that it seems to have. */
  readonly gpus?: readonly string[];
  /** Put before sshd's own settings, and so winning over them: `AllowStreamLocalForwarding no`. */
  readonly sshdConfig?: readonly string[];
  /** Whoever has one here may log in with it as well: `PasswordAuthentication` is on then. */
  readonly passwords?: { readonly [user in HostUser]?: string };
};

/** A container that is a whole machine: sshd, an engine of its own, users, an address. Disposing of it removes all of it. */
export type HostMachine = AsyncDisposable & {
  readonly name: string;
  /** Of its container on the engine that tests run on. */
  readonly containerId: string;
  /** Reached from this machine, and from the other host machines of this process. */
  readonly address: string;
  readonly port: 22;
  readonly users: readonly HostUser[];
  /** Private key that logs either user in; its public half is beside it, with `.pub`. */
  readonly identityFile: string;
  /** `SHA256:…` */
  readonly hostKey: string;
  /** As it stands in `known_hosts`. */
  readonly knownHostsLine: string;
  /** Runs a script of `sh` on the machine, past sshd: works whatever its network does, but not while it is paused or off. Default user root. */
  readonly exec: Exec;
  /** Streams the job image into its engine; its name. For tests that are not about how images get there. */
  loadJobImage(): Promise<string>;
  /** The power is cut. `start` brings it back. */
  kill(): Promise<void>;
  /** Shut down in an orderly way. */
  stop(): Promise<void>;
  /** Boots it again after `kill` or `stop`: same keys, same disk, and same address. */
  start(): Promise<void>;
  /** Everything on it stands still; its kernel goes on answering TCP. */
  pause(): Promise<void>;
  unpause(): Promise<void>;
  /** The network cable is pulled: nothing answers, nothing is refused. */
  disconnect(): Promise<void>;
  reconnect(): Promise<void>;
  /** Ends its dockerd, and with it every container there, and starts it again. */
  restartEngine(): Promise<void>;
};

const network = new HostNetwork(HOST_LABEL);

/** Starts a machine and waits until its sshd and its engine answer (1 to 2 s once the image is built). */
export async function startHostMachine(options: HostMachineOptions = {}): Promise<HostMachine> {
  const { docker } = await testEngine();
  await removeAbandoned(docker);
  const image = hostImage(options.engine === false ? "bare" : "engine");
  await prepare([image]);

  await using undo = new AsyncDisposableStack();
  const place = undo.use(await network.join(docker));
  const name = options.name ?? "host";
  const volumes = options.jobImage ? [`${await provideHostSeed(docker)}:/seed:ro`] : [];
  const container = await createHostContainer(docker, { image: image.tag, name, place, volumes });
  undo.defer(() => removeContainer(docker, container.id));
  await container.putArchive(Readable.from(filesOf(options), { objectMode: false }), { path: "/" });
  await container.start();

  const folder = await mkdtemp(join(tmpdir(), "berth-host-"));
  undo.defer(() => rm(folder, { recursive: true, force: true }));
  const identityFile = join(folder, "id_ed25519");
  const exec = execOn(docker, container);
  await untilReady(exec);
  const keys = await readKeys(exec);
  await writeFile(identityFile, keys.identity, { mode: 0o600 });
  await writeFile(`${identityFile}.pub`, keys.publicIdentity);

  const kept = undo.move();
  return {
    ...{ name, containerId: container.id, identityFile, exec },
    ...{ address: place.address, port: 22, users: ["root", "ubuntu"] },
    hostKey: keys.hostKey,
    knownHostsLine: `${place.address} ${keys.publicHostKey}`,
    loadJobImage: () => loadJobImage(docker, exec),
    ...powerOf(container, exec),
    ...cableOf(docker, container, place),
    restartEngine: () => restartEngine(exec),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Builds the images of host machines, so that no test waits for that; says so when there is something to build. */
export async function prepareHostMachines(say: (line: string) => void): Promise<void> {
  const { docker } = await testEngine();
  await removeAbandoned(docker);
  await prepare([hostImage("engine"), hostImage("bare")], (event) => {
    if (event.type === "step_started") say(event.name);
  });
  await provideHostSeed(docker, () =>
    say("Put the job image where host machines have it from the start"),
  );
  await removeOutdatedImages(docker);
}

/** What is there before it boots for the first time, as a tar. */
function filesOf({ gpus = [], sshdConfig = [], passwords = {} }: HostMachineOptions): Pack {
  const tar = pack();
  const byPassword = Object.keys(passwords).length > 0;
  const settings = [
    ...sshdConfig,
    "UsePAM no",
    `PasswordAuthentication ${byPassword ? "yes" : "no"}`,
    `PermitRootLogin ${passwords.root === undefined ? "prohibit-password" : "yes"}`,
  ];
  tar.entry({ name: "etc/ssh/sshd_config.d/00-host-machine.conf" }, `${settings.join("\n")}\n`);
  if (byPassword) {
    const lines = Object.entries(passwords).map(([user, password]) => `${user}:${password}\n`);
    tar.entry({ name: "etc/passwords", mode: 0o600 }, lines.join(""));
  }
  const nameservers = readFileSync("/etc/resolv.conf", "utf8");
  if (!/^nameserver\s+127\./m.test(nameservers))
    tar.entry({ name: "etc/nameservers" }, nameservers);
  if (gpus.length > 0) {
    for (const [program, script] of scriptedGpus(gpus)) {
      tar.entry({ name: `usr/local/bin/${program}`, mode: 0o755 }, script);
    }
  }
  tar.finalize();
  return tar;
}

async function readKeys(exec: Exec) {
  const host = "/etc/ssh/ssh_host_ed25519_key.pub";
  const script = `cut -d' ' -f1,2 ${host}; ssh-keygen -lf ${host}; cat /root/login-key.pub /root/login-key`;
  const { stdout } = await exec(script);
  const [publicHostKey = "", fingerprint = "", publicIdentity = "", ...identity] =
    stdout.split("\n");
  const hostKey = fingerprint.split(" ")[1] ?? "";
  return {
    ...{ publicHostKey, hostKey },
    publicIdentity: `${publicIdentity}\n`,
    identity: identity.join("\n"),
  };
}

function powerOf(container: Docker.Container, exec: Exec) {
  return {
    kill: async () => void (await container.kill()),
    stop: async () => void (await container.stop({ t: 5 })),
    async start() {
      await container.start();
      await untilReady(exec);
    },
    pause: async () => void (await container.pause()),
    unpause: async () => void (await container.unpause()),
  };
}

function cableOf(docker: Docker, container: Docker.Container, { networkId, address }: HostAddress) {
  const network = docker.getNetwork(networkId);
  return {
    disconnect: async () => void (await network.disconnect({ Container: container.id })),
    reconnect: async () =>
      void (await network.connect({
        Container: container.id,
        EndpointConfig: { IPAMConfig: { IPv4Address: address } },
      })),
  };
}

async function restartEngine(exec: Exec): Promise<void> {
  // Else it gives each container ten seconds to end by itself.
  await exec(`docker ps --quiet | xargs --no-run-if-empty docker kill > /dev/null
pid=$(cat /run/docker.pid); kill $pid; while [ -e /proc/$pid ]; do sleep 0.05; done
sh /usr/local/sbin/start-engine`);
  await untilReady(exec);
}

/** What killed processes left. */
async function removeAbandoned(docker: Docker): Promise<void> {
  const filters = { label: [HOST_LABEL] };
  const isAbandoned = ({ Labels }: { Labels?: { [name: string]: string } | undefined }) =>
    !isOwnerAlive(Labels?.[OWNER_LABEL] ?? "");
  const containers = await docker.listContainers({ all: true, filters });
  for (const { Id } of containers.filter(isAbandoned)) await removeContainer(docker, Id);
  const networks = await docker.listNetworks({ filters });
  for (const { Id } of networks.filter(isAbandoned)) await removeNetwork(docker, Id);
}

/** Images of earlier versions of what is in `host-image.ts`; one that is in use stays. */
async function removeOutdatedImages(docker: Docker): Promise<void> {
  const current = [hostImage("engine").tag, hostImage("bare").tag];
  const images = await docker.listImages({ filters: { reference: [HOST_REPOSITORY] } });
  const outdated = images
    .flatMap(({ RepoTags }) => RepoTags ?? [])
    .filter((tag) => !current.includes(tag));
  await Promise.allSettled(outdated.map((tag) => docker.getImage(tag).remove()));
}
