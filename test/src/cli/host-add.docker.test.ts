import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "@jest/globals";
import { type HostMachine, startHostMachine } from "../../host-machines.ts";
import { runBerth } from "./run-berth.ts";

let machine: HostMachine;
let cwd: string;

beforeAll(async () => {
  machine = await startHostMachine({
    name: "gpu-1",
    gpus: ["GPU-11111111-2222-3333-4444-555555555555"],
  });
});
afterAll(async () => {
  await machine[Symbol.asyncDispose]();
});
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), "berth-host-add-"));
});
afterEach(() => rm(cwd, { recursive: true, force: true }));

const berth = (...args: string[]) => runBerth(args, { cwd, env: { HOME: cwd } });
const address = (user = "root") => [
  `${user}@${machine.address}`,
  "--identity-file",
  machine.identityFile,
];
const file = () => readFile(join(cwd, "berth.yml"), "utf8");

it("shows a machine's key, and writes nothing before somebody has taken it for right", async () => {
  const { code, stderr } = await berth("host", "add", "gpu-1", ...address());

  expect(code).toBe(3);
  expect(stderr).toContain(machine.hostKey);
  expect(stderr).toContain(`--accept-host-key ${machine.hostKey}`);
  await expect(file()).rejects.toThrow("ENOENT");
});

it("takes no other key than the one that was named", async () => {
  const wrong = `SHA256:${"A".repeat(43)}`;

  const { code, stderr } = await berth(
    "host",
    "add",
    "gpu-1",
    ...address(),
    "--accept-host-key",
    wrong,
  );

  expect([code, stderr]).toEqual([3, expect.stringContaining(`, and not ${wrong}.`)]);
});

it("adds, probes, lists and removes a machine, and keeps the rest of the file", async () => {
  const before = "# Ours.\nhosts:\n  - name: here # this one\n";
  await writeFile(join(cwd, "berth.yml"), before);
  const accept = ["--accept-host-key", machine.hostKey];

  const added = await berth("host", "add", "gpu-1", ...address(), ...accept);
  const probed = await berth("host", "probe", "gpu-1", "--json");
  const listed = await berth("host", "ls", "--all");
  const text = await file();
  const removed = await berth("host", "rm", "gpu-1");

  expect([added.code, added.stderr]).toEqual([0, expect.stringContaining("gpu-1 is in ")]);
  expect(added.stdout).toContain(`gpu-1 (root@${machine.address})`);
  expect(JSON.parse(probed.stdout)).toMatchObject({
    name: "gpu-1",
    engines: [{ usable: true, isDefault: true }],
    gpus: [{ uuid: "GPU-11111111-2222-3333-4444-555555555555", usable: true }],
    clockSkewMs: 0,
  });
  expect(listed.stdout).toMatch(/^ +here +gpu-1\n/);
  expect(listed.stdout).toMatch(/GPUs +none +1 × NVIDIA A100/);
  expect(text.startsWith(before)).toBe(true);
  expect(text).toContain(`    hostKey: ${machine.hostKey}\n`);
  expect([removed.code, await file()]).toEqual([0, before]);
});

it("reaches an engine with sudo where the login may not open its socket, and says so", async () => {
  const accept = ["--accept-host-key", machine.hostKey];

  const { code, stdout } = await berth(
    "host",
    "add",
    "gpu-1",
    ...address("ubuntu"),
    ...accept,
    "--json",
  );

  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    user: "ubuntu",
    sudo: true,
    engines: [
      { endpoint: "unix:///var/run/docker.sock", usable: true, throughSudo: true, isDefault: true },
    ],
  });
});

it("says why a machine that was added could not be looked at", async () => {
  const accept = ["--accept-host-key", machine.hostKey];

  const { code, stderr } = await berth("host", "add", "x", `nobody@${machine.address}`, ...accept);

  expect(code).toBe(3);
  expect(stderr).toContain("x could not be looked at.");
  expect(stderr).toContain("berth host rm x");
});
