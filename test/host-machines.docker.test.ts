import { once } from "node:events";
import { connect } from "node:net";
import { hostname } from "node:os";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { OWNER_LABEL } from "../src/containers/labels.ts";
import { jobImage, prepare, testEngine } from "./engine.ts";
import { HOST_LABEL } from "./host-container.ts";
import { hostImage } from "./host-image.ts";
import { type HostMachine, startHostMachine } from "./host-machines.ts";

const GPU = "GPU-11111111-2222-3333-4444-555555555555";
let host: HostMachine;

beforeAll(async () => {
  host = await startHostMachine({
    name: "gpu-1",
    gpus: [GPU],
    jobImage: true,
    passwords: { ubuntu: "sesame" },
  });
}, 120_000);
afterAll(async () => host?.[Symbol.asyncDispose]());

it("is a machine with users, an engine and GPUs", async () => {
  const login = await host.exec("whoami; sudo -n whoami; hostname; nvidia-smi -L", {
    user: "ubuntu",
  });
  const socket = await host.exec("docker version", { user: "ubuntu" });
  const engine = await host.exec("docker info --format '{{.Driver}} {{.Containers}}'");

  expect(login.stdout).toBe(`ubuntu\nroot\ngpu-1\nGPU 0: NVIDIA A100-SXM4-80GB (UUID: ${GPU})\n`);
  expect(socket.stderr).toContain("permission denied");
  expect(engine.stdout).toBe("overlay2 0\n");
});

it("runs containers within limits, with a GPU of those it seems to have", async () => {
  const image = await jobImage();

  const { stdout } = await host.exec(
    `docker run --rm --memory 64m --gpus '"device=${GPU}"' ${image} sh -c 'echo $NVIDIA_VISIBLE_DEVICES; cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max'`,
  );

  expect(stdout).toBe(`${GPU}\n67108864\n`);
});

it("is the same machine after its power was cut", async () => {
  await host.kill();
  await host.start();
  const { stdout } = await host.exec("cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub");

  expect(`${host.address} ${stdout.trim()}`).toBe(host.knownHostsLine);
  expect(await greeting()).toMatch(/^SSH-2\.0-/);
});

it("has its engine again after that was restarted, and its containers ended", async () => {
  await host.exec(`docker run --detach --name lasting ${await jobImage()} sleep infinity`);
  await host.restartEngine();
  const { stdout } = await host.exec("docker inspect --format '{{.State.Status}}' lasting");

  expect(stdout).toBe("exited\n");
});

it("cannot be reached without its cable", async () => {
  await host.disconnect();
  const unplugged = await greeting();
  await host.reconnect();

  expect(unplugged).toBeUndefined();
  expect(await greeting()).toMatch(/^SSH-2\.0-/);
});

it("goes when a later one starts, where the process that made it is dead", async () => {
  const { docker } = await testEngine();
  await prepare([hostImage("bare")]);
  const abandoned = await docker.createContainer({
    Image: hostImage("bare").tag,
    Labels: { [HOST_LABEL]: "", [OWNER_LABEL]: `${hostname()}:4000000:gone/0/0` },
  });

  await using bare = await startHostMachine({ engine: false });

  expect((await bare.exec("command -v dockerd")).exitCode).not.toBe(0);
  await expect(abandoned.inspect()).rejects.toMatchObject({ statusCode: 404 });
});

/** What its sshd says first; `undefined` when nothing comes. */
async function greeting(): Promise<string | undefined> {
  const socket = connect(host.port, host.address);
  try {
    const [data] = await once(socket, "data", { signal: AbortSignal.timeout(2000) });
    return String(data);
  } catch {
    return undefined;
  } finally {
    socket.destroy();
  }
}
