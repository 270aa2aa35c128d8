import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { describe, expect, it } from "@jest/globals";
import { textOf } from "../runner/errors.ts";
import { capabilityOf } from "../src/hosts/capability-of.ts";
import type { HostFacts } from "../src/hosts/host-facts.ts";
import type { MachineShell } from "../src/hosts/machine-shell.ts";
import { readGpus } from "../src/hosts/probe-gpus.ts";
import { readSections } from "../src/hosts/probe-sections.ts";
import { probeWith, readFacts } from "../src/hosts/probe-with.ts";
import { openProver } from "../src/hosts/prove-host.ts";
import { readHostKey } from "../src/hosts/ssh/read-host-key.ts";
import { aMachine, anEngine } from "./src/hosts/host-facts.ts";
import { isAbout, troubleshootingRows } from "./troubleshooting-rows.ts";

const { signal } = new AbortController();
type Parts = { readonly [part: string]: string };

/** What the probe's script printed; a number after the part's name is how it ended. */
function sectionsOf(parts: Parts) {
  const printed = Object.entries(parts).map(([part, text]) => {
    const [name, code = "0"] = part.split(" ");
    return `n begin ${name}\n${text}\n\nn end ${code}\n`;
  });
  return readSections(printed.join(""), "n");
}

const withRuntime = anEngine({ runtimes: ["runc", "nvidia"] });

function gpuSays(parts: Parts, terms: Partial<Parameters<typeof readGpus>[1]> = {}): string {
  const [gpu] = readGpus(sectionsOf(parts), { engines: [withRuntime], programs: {}, ...terms });
  return gpu?.reason ?? "nothing";
}

/** All warnings, one a line. */
function warnings(parts: Parts, engines = [withRuntime], skewMs = 0): string[] {
  return readFacts(sectionsOf(parts), engines, skewMs).warnings.map(({ message }) => message);
}

function whyNoJobs(facts: Partial<HostFacts>): string {
  try {
    capabilityOf(aMachine(facts), "gpu-1");
    return "it can";
  } catch (error) {
    return textOf(error);
  }
}

async function probeSays(stderr: string): Promise<string> {
  const shell: MachineShell = {
    async run(_, { onLine }) {
      onLine?.(stderr, "stderr");
      return { exitCode: 1, stdout: "", stderr };
    },
  };
  const connectEngine = () => Promise.reject(new Error("no engine"));
  return await failure(probeWith(shell, { connectEngine, signal }));
}

async function failure(promise: Promise<unknown>): Promise<string> {
  return await promise.then(() => "it works", textOf);
}

const sshSays = (destination: string, connectTimeoutMs = 5000) =>
  failure(
    readHostKey(
      { name: "gpu-1", destination },
      { environment: { home: tmpdir(), env: { USER: "me" } }, connectTimeoutMs, signal },
    ),
  );

/** What is said of a machine where something else listens. */
async function sshSaysOf(server: Server, connectTimeoutMs?: number): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const said = await sshSays(`127.0.0.1:${port}`, connectTimeoutMs);
  server.close();
  return said;
}

const ONE = "GPU-11111111-2222-3333-4444-555555555555";
const row = (rest = "24576, 550.54.15, 8.0, Disabled") => `0, ${ONE}, NVIDIA A30, ${rest}`;
const nvidia = (driver: string) => ({ pci: `0000:07:00.0 0x030200 0x10de 0x20b7 ${driver}|` });
const amd = { pci: "0000:03:00.0 0x030000 0x1002 0x744c amdgpu|" };
const queried = { "smi-query": row() };
const plain = { engines: [anEngine()] };
const rootless = anEngine({ rootless: true, runtimes: ["nvidia"] });

const GPUS: (() => string)[] = [
  () => gpuSays(nvidia("")),
  () =>
    gpuSays({
      "smi-query 9":
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
    }),
  () => gpuSays({ "smi-query 18": "Failed to initialize NVML: Driver/library version mismatch" }),
  () => gpuSays(nvidia("nouveau")),
  () => gpuSays(nvidia("vfio-pci")),
  () => gpuSays({ ...nvidia("nvidia"), driver: "NVRM version: x 550.54.15 y" }),
  () => gpuSays({ "smi-query 4": "Failed to initialize NVML: Insufficient Permissions" }),
  () => gpuSays({ "smi-query 137": "" }),
  () =>
    gpuSays({
      "smi-query 15": "Unable to determine the device handle for GPU 0000:65:00.0: GPU is lost.",
    }),
  () => gpuSays({ "smi-query": row("[GPU requires reset], 550.54.15, 8.0, [N/A]") }),
  () => gpuSays({ ...queried, "smi-recovery": `${ONE}, Reset` }),
  () => gpuSays({ ...queried, "smi-remapped": `${ONE}, No, Yes` }),
  () => warnings({ ...queried, "smi-bus": `${ONE}, 00000000:07:00.0, 2, No` }).join("\n"),
  () => gpuSays({ "smi-query": row("24576, 550.54.15, 8.0, Enabled") }),
  () => gpuSays(queried, plain),
  () => gpuSays(queried, { ...plain, programs: { "nvidia-ctk": "/usr/bin/nvidia-ctk" } }),
  () => gpuSays(queried, { ...plain, deviceInterfaces: ["/etc/cdi/nvidia.yaml"] }),
  () => gpuSays(queried, { engines: [rootless], noCgroups: false }),
  () => gpuSays(queried, { engines: [] }),
  () => gpuSays(amd),
  () =>
    gpuSays({ ...amd, nodes: "shut /dev/kfd\nshut /dev/dri/renderD128" }, { engines: [rootless] }),
  () => gpuSays({ pci: "0000:02:00.0 0x030000 0x8086 0x56c0 i915|" }),
];

const broken = (reason: string) => [anEngine({ usable: false, reason })];
const weak = async () => {
  const prover = openProver({ limits: async () => "The limit it has is none." });
  const { warnings: told } = await prover.prove(aMachine({ engines: [anEngine()] }), signal);
  return told[0]?.message ?? "nothing";
};

const ENGINES: (() => string | Promise<string>)[] = [
  () => whyNoJobs({}),
  () => whyNoJobs({ programs: { dockerd: "/usr/bin/dockerd" } }),
  () => whyNoJobs({ engines: [anEngine({ isDefault: false })] }),
  weak,
  () =>
    warnings({
      disk: "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/a 1000000 900000 100000 90% /",
    }).join(),
  () => warnings({}, [anEngine()], -90_000).join(),
  () => warnings({}, [anEngine({ runc: "1.1.5" })]).join(),
  () => warnings({ toolkit: "NVIDIA Container Toolkit CLI version 1.16.1" }, [anEngine()]).join(),
  () => warnings({ podman: "podman version 4.3.1" }, [anEngine()]).join(),
  () =>
    warnings({}, [anEngine({ enforcesLimits: false, rootless: true, cgroupVersion: "1" })]).join(),
];

const REACHING: (() => Promise<string>)[] = [
  () => sshSays("me@no-such-machine.invalid"),
  () => sshSays("127.0.0.1:1"),
  () =>
    sshSaysOf(
      createServer((socket) => socket.on("error", () => {})),
      300,
    ),
  () => sshSaysOf(createServer((socket) => socket.end())),
  () => probeSays("'sh' is not recognized as an internal or external command,"),
  () => probeSays("This account is currently not available."),
];

describe("docs/troubleshooting.md has, in the words that are printed,", () => {
  it.each([
    ["Reaching a machine", REACHING],
    ["Engines", ENGINES],
    ["GPUs", GPUS],
  ] as const)("what comes up here: %s", async (section, cases) => {
    const rows = troubleshootingRows(section);

    for (const comeUp of cases) {
      const said = await comeUp();
      expect([said, rows.filter((one) => isAbout(one, said)).length]).toEqual([said, 1]);
    }
  });

  it("of GPUs nothing else", async () => {
    const said = GPUS.map((comeUp) => comeUp());

    const unheard = troubleshootingRows("GPUs").filter(
      (one) => !said.some((text) => isAbout(one, text)),
    );
    expect(unheard).toEqual([]);
  });
});

it.each([
  "This user may not open /var/run/docker.sock.",
  "It runs windows containers, and Berth's jobs need Linux ones.",
])("says of a host whose engine is broken: %s", (reason) => {
  const [prefix = "", rest = ""] = whyNoJobs({ engines: broken(reason) }).split("jobs: ");

  expect(prefix).toBe("The host gpu-1 cannot run ");
  expect(troubleshootingRows("Engines").filter((one) => isAbout(one, rest))).toHaveLength(1);
});
