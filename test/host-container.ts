import { randomBytes } from "node:crypto";
import { PassThrough, type Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import type Docker from "dockerode";
import { type Labels, OWNER_LABEL } from "../src/containers/labels.ts";
import { thisOwner } from "../src/containers/owner.ts";
import type { HostAddress } from "./host-network.ts";

/** `ubuntu` may use sudo without a password, and may not open the engine's socket; `usermod -aG docker ubuntu` changes that for its next login. */
export type HostUser = "root" | "ubuntu";

export type Printed = {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
};

/** See `HostMachine.exec`. */
export type Exec = (
  script: string,
  options?: { user?: HostUser; stdin?: Readable },
) => Promise<Printed>;

/** On all that host machines are made of. */
export const HOST_LABEL = "io.berth.test-host";

const PATIENCE_S = 60;

/** Labels of what goes with this process, at the latest. */
export function hostLabels(): Labels {
  return { [HOST_LABEL]: "", [OWNER_LABEL]: thisOwner() };
}

export type HostContainer = {
  readonly image: string;
  readonly name: string;
  /** None when left out. */
  readonly place?: HostAddress | undefined;
  /** `VOLUME:PATH[:ro]` */
  readonly volumes?: readonly string[];
};

/** The container of a machine, not yet booted. */
export function createHostContainer(
  docker: Docker,
  { image, name, place, volumes = [] }: HostContainer,
): Promise<Docker.Container> {
  const hostConfig = {
    Init: true,
    NetworkMode: place?.networkId ?? "none",
    CapAdd: ["ALL"],
    // Where this machine lacks it itself, nobody can be given it.
    CapDrop: ["SYS_RESOURCE"],
    SecurityOpt: ["seccomp=unconfined", "apparmor=unconfined"],
    DeviceCgroupRules: ["a *:* rwm"],
    // A rootless engine within may mount a /proc for its containers only where all of this one can be seen.
    MaskedPaths: [],
    ReadonlyPaths: [],
    // Its engine's control groups lie below its own, and go with it.
    CgroupnsMode: "private",
    Binds: [...volumes],
  };
  return docker.createContainer({
    name: `berth-test-${name}-${randomBytes(4).toString("hex")}`,
    Image: image,
    Hostname: name,
    Labels: hostLabels(),
    // Engines keep their layers there, that of a user too: an overlay cannot lie upon the container's own.
    Volumes: { "/var/lib/docker": {}, "/home": {} },
    HostConfig: hostConfig,
    ...(place && {
      NetworkingConfig: {
        EndpointsConfig: { [place.networkId]: { IPAMConfig: { IPv4Address: place.address } } },
      },
    }),
  });
}

/** Waits until its sshd and its engine answer. */
export async function untilReady(exec: Exec): Promise<void> {
  const script = `for i in $(seq ${PATIENCE_S * 20}); do
    [ -s /run/sshd.pid ] && { ! command -v dockerd || docker version; } > /dev/null 2>&1 && exit 0
    sleep 0.05
  done
  ps ax; tail -n 30 /var/log/dockerd.log; exit 1`;
  const { exitCode, stdout } = await exec(script);
  if (exitCode !== 0) throw new Error(`The host machine did not come up:\n${stdout}`);
}

export function execOn(docker: Docker, container: Docker.Container): Exec {
  return (script, options = {}) => execIn(docker, container, script, options);
}

async function execIn(
  docker: Docker,
  container: Docker.Container,
  script: string,
  { user = "root", stdin }: { user?: HostUser; stdin?: Readable },
): Promise<Printed> {
  const exec = await container.exec({
    Cmd: ["/bin/sh", "-c", script],
    User: user,
    Env: [`HOME=${user === "root" ? "/root" : "/home/ubuntu"}`],
    AttachStdin: stdin !== undefined,
    AttachStdout: true,
    AttachStderr: true,
  });
  const stream = await exec.start({ hijack: true, stdin: stdin !== undefined });
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  docker.modem.demuxStream(stream, stdout, stderr);
  stream.once("close", () => {
    stdout.end();
    stderr.end();
  });
  const [printed, complained] = await Promise.all([
    text(stdout),
    text(stderr),
    stdin && pipeline(stdin, stream, { end: true }),
  ]);
  const { ExitCode } = await exec.inspect();
  return { exitCode: ExitCode ?? -1, stdout: printed, stderr: complained };
}
