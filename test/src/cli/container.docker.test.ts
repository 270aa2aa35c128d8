import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { PodAnswer } from "../../../src/containers/pods/pod-answer.ts";
import { type HostMachine, startHostMachine } from "../../host-machines.ts";
import { runBerth } from "./run-berth.ts";

const run = promisify(execFile);
const GPU = "GPU-7d3e1c52-0000-4000-8000-0000000000a1";

let machine: HostMachine;
let cwd: string;
let image: string;

const berth = (...args: string[]) => runBerth(["container", ...args], { cwd });

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "berth-container-"));
  machine = await startHostMachine({ name: "pods", gpus: [GPU], jobImage: true });
  const { address, identityFile, hostKey } = machine;
  const host = { name: "gpu-1", ssh: `root@${address}:22`, identityFile, hostKey };
  await writeFile(join(cwd, "berth.yml"), JSON.stringify({ hosts: [host] }));
  image = (await machine.exec("docker images -q berth-job | head -n 1")).stdout.trim();
}, 120_000);
afterAll(async () => {
  await machine?.[Symbol.asyncDispose]();
  await rm(cwd, { recursive: true, force: true });
});

describe("berth container on a host over SSH", () => {
  it("makes a container with a GPU and a login that the printed command opens, and leaves nothing", async () => {
    const flags = ["--host", "gpu-1", "--gpu", "auto", "-p", "0:8080", "-v", "work:/work"];
    const key = ["--ssh-key", `${machine.identityFile}.pub`];
    const login = ["--setup-user", "pod-user", ...key, "-e", "GREETING=hello there"];
    // Somebody has the first number and the group's name already.
    const main = "sudo useradd -u 1000 somebody; sudo groupadd pod-user; exec sleep 600";
    const command = ["sh", "-c", main];
    const made = await berth("create", image, ...flags, ...login, "--json", "--", ...command);
    const answer = PodAnswer.parse(JSON.parse(made.stdout));

    const second = await berth("create", image, "--host", "gpu-1", "--gpu", "1");
    const ask = "id -un; sudo -n id -un; echo $GREETING";
    const ssh = await run("/bin/sh", ["-c", `${answer.sshCommand} '${ask}'`], { timeout: 30_000 });
    const given = await machine.exec(
      `docker inspect -f '{{range .HostConfig.DeviceRequests}}{{.DeviceIDs}}{{end}}' ${answer.id}`,
    );
    const again = await berth("user", "--host", "gpu-1", answer.name, ...key, "--json");
    const listed = await berth("ls", "--host", "gpu-1");
    const list = ["cat", "/etc/berth-pod/authorized_keys/pod-user"];
    const keys = await berth("exec", "--host", "gpu-1", answer.name, "--", ...list);
    const ended = await berth("exec", "--host", "gpu-1", answer.name, "--", "sh", "-c", "exit 5");
    const removed = await berth("rm", "--host", "gpu-1", "--volumes", answer.id.slice(0, 12));
    const left = await machine.exec(
      "docker ps -aq; docker volume ls -q | grep -v node; ls /dev/shm/berth-claims | grep GPU",
    );

    expect(answer).toMatchObject({ host: "gpu-1", gpuUuids: [GPU], gpuCount: 1, userReady: true });
    expect(answer.moshCommand).toContain(`pod-user@${machine.address}`);
    expect(ssh.stdout).toBe("pod-user\nroot\nhello there\n");
    expect(given.stdout).toContain(`[${GPU}]`);
    expect(second).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("has not 1 GPU free"),
    });
    expect(JSON.parse(again.stdout)).toMatchObject({
      userReady: true,
      sshCommand: answer.sshCommand,
    });
    expect(listed.stdout).toContain(answer.name);
    expect(keys.stdout.trim().split("\n")).toHaveLength(1);
    expect(ended.code).toBe(5);
    expect(removed.stdout).toBe(`removed ${answer.name}, work\n`);
    expect(left.stdout).toBe("");
  }, 120_000);
});

describe("berth container with what is not usable", () => {
  it.each([
    [["create"], "No image is named"],
    [["create", "--setup-user", "debian"], "--setup-user took debian as the user's name"],
    [
      ["create", "debian:12", "--setup-user=u", "--ssh-key", "/nowhere"],
      "neither a public key nor",
    ],
    [["create", "debian:12", "-v", "/etc:/x"], "policy.hostPaths"],
    [["create", "debian:12", "--host", "nowhere"], "There is no host nowhere"],
  ])("ends with exit code 2 and names it: %j", async (args, said) => {
    const { code, stderr } = await berth(...args);

    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(said) });
  });
});
