import { randomBytes } from "node:crypto";
import { performance } from "node:perf_hooks";
import type { Duplex } from "node:stream";
import { buffer } from "node:stream/consumers";
import type Docker from "dockerode";
import { jobVolumes } from "../../src/containers/job-folders.ts";

/** A container that idles, for measuring what the engine costs without Berth. Disposing of it removes it. */
export async function idleContainer(
  docker: Docker,
  image: string,
  { nodeVolume, user }: { nodeVolume?: string; user?: string } = {},
) {
  const container = await docker.createContainer({
    Image: image,
    ...(user && { User: user }),
    Entrypoint: ["/bin/sh", "-c"],
    Cmd: ["trap 'exit 0' TERM; while :; do sleep 3600 & wait; done"],
    HostConfig: { Init: true, ...(nodeVolume && { Binds: [`${nodeVolume}:/__e:ro`] }) },
  });
  await container.start();
  return {
    container,
    [Symbol.asyncDispose]: () => container.remove({ force: true, v: true }),
  };
}

/** One `docker exec` as a runner does it for each step: create, start, read to the end, ask for the exit code. */
export async function execMs(container: Docker.Container, script: string): Promise<number> {
  const begun = performance.now();
  const exec = await container.exec({
    Cmd: ["sh", "-c", script],
    AttachStdout: true,
    AttachStderr: true,
  });
  await buffer(await exec.start({}));
  const { ExitCode } = await exec.inspect();
  if (ExitCode !== 0) throw new Error(`"${script}" ended with ${ExitCode}`);
  return performance.now() - begun;
}

/** Network, volumes, container, attach, start and a first byte: the engine calls of a job, made bare and side by side. */
export async function bareJobMs(docker: Docker, image: string): Promise<number> {
  const name = `berth-bench-${randomBytes(4).toString("hex")}`;
  const begun = performance.now();
  const [network, container] = await Promise.all([
    docker.createNetwork({ Name: name, CheckDuplicate: true }),
    docker.createContainer({
      name,
      Image: image,
      Entrypoint: ["/bin/sh"],
      Cmd: ["-c", "echo ready; cat"],
      OpenStdin: true,
      HostConfig: {
        Init: true,
        NetworkMode: name,
        LogConfig: { Type: "local", Config: {} },
        Mounts: jobVolumes("bench").map((Target) => ({
          Type: "volume",
          Source: "",
          Target,
        })),
      },
    }),
  ]);
  const stream = await container.attach({ stream: true, hijack: true, stdin: true, stdout: true });
  const first = new Promise((resolve) => stream.once("data", resolve));
  await container.start();
  await first;
  const ms = performance.now() - begun;
  (stream as Duplex).destroy();
  await container.remove({ force: true, v: true });
  await network.remove();
  return ms;
}

/** A network and a container on it that runs: what a service is at least. */
export async function bareServiceMs(docker: Docker, image: string): Promise<number> {
  const name = `berth-bench-${randomBytes(4).toString("hex")}`;
  const network = await docker.createNetwork({ Name: name, CheckDuplicate: true });
  const begun = performance.now();
  const container = await docker.createContainer({
    Image: image,
    HostConfig: { NetworkMode: name },
  });
  await container.start();
  await container.inspect();
  const ms = performance.now() - begun;
  await container.remove({ force: true, v: true });
  await network.remove();
  return ms;
}

/** `docker run --rm` of a program that ends at once, on a network and with four volumes, as a docker action has them. */
export async function bareRunMs(
  docker: Docker,
  { image, network, program }: { image: string; network: string; program: string },
): Promise<number> {
  const begun = performance.now();
  const container = await docker.createContainer({
    Image: image,
    Entrypoint: [program],
    Cmd: [],
    HostConfig: {
      NetworkMode: network,
      LogConfig: { Type: "local", Config: {} },
      Mounts: ["/github/workspace", "/github/home", "/github/workflow", "/github/runner_temp"].map(
        (Target) => ({ Type: "volume", Source: "", Target }),
      ),
    },
  });
  const stream = await container.attach({ stream: true, hijack: true, stdout: true, stderr: true });
  const ended = container.wait({ condition: "next-exit" });
  await container.start();
  stream.resume();
  const { StatusCode } = (await ended) as { StatusCode: number };
  await container.remove({ force: true, v: true });
  if (StatusCode !== 0) throw new Error(`"${program}" ended with ${StatusCode}`);
  return performance.now() - begun;
}

/** Megabytes a second that reach a client which only counts them, printed by `script` in a fresh container. */
export async function bareAttach(docker: Docker, image: string, script: string): Promise<number> {
  const container = await docker.createContainer({
    Image: image,
    Entrypoint: ["/bin/sh", "-c", script],
    Cmd: [],
    HostConfig: {
      Init: true,
      LogConfig: {
        Type: "local",
        Config: { "max-size": "256m", "max-file": "2", compress: "false" },
      },
    },
  });
  try {
    const stream = await container.attach({
      stream: true,
      hijack: true,
      stdout: true,
      stderr: true,
    });
    let bytes = 0;
    const ended = new Promise((resolve) => stream.once("end", resolve));
    let begun = 0;
    stream.on("data", (chunk: Buffer) => {
      begun ||= performance.now();
      bytes += chunk.length;
    });
    await container.start();
    await ended;
    return bytes / 1e6 / ((performance.now() - begun) / 1000);
  } finally {
    await container.remove({ force: true, v: true });
  }
}
