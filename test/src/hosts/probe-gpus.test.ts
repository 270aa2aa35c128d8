import { describe, expect, it } from "@jest/globals";
import { readGpus } from "../../../src/hosts/probe-gpus.ts";
import { readSections } from "../../../src/hosts/probe-sections.ts";
import { anEngine } from "./host-facts.ts";

const ONE = "GPU-11111111-2222-3333-4444-555555555555";
const TWO = "GPU-66666666-2222-3333-4444-555555555555";

const engine = anEngine();
const withRuntime = { ...engine, runtimes: ["runc", "nvidia"] };
const NAMED = ["/etc/cdi/nvidia.yaml"];

/** What the script's parts printed; each ended well, but for those in `codes`. */
function read(
  parts: { readonly [name: string]: string },
  {
    codes = {},
    ...terms
  }: Partial<Parameters<typeof readGpus>[1]> & { codes?: { readonly [name: string]: number } } = {},
) {
  const output = Object.entries(parts)
    .map(([name, text]) => `n begin ${name}\n${text}\n\nn end ${codes[name] ?? 0}\n`)
    .join("");
  return readGpus(readSections(output, "n"), { engines: [withRuntime], programs: {}, ...terms });
}

const row = (uuid: string, index = 0, mig = "Disabled") =>
  `${index}, ${uuid}, NVIDIA A30, 24576, 550.54.15, 8.0, ${mig}`;

describe("what hands a GPU of NVIDIA's to a container", () => {
  const query = { "smi-query": row(ONE) };
  const rootless = { ...withRuntime, rootless: true };

  it.each([
    ["a runtime", { engines: [withRuntime] }],
    [
      "the hook",
      { engines: [engine], programs: { "nvidia-container-runtime-hook": "/usr/bin/x" } },
    ],
    ["names of devices", { engines: [{ ...engine, cdi: true }], deviceInterfaces: NAMED }],
    ["a rootless engine with no-cgroups", { engines: [rootless], noCgroups: true }],
  ])("is %s", (_, terms) => {
    const [gpu] = read(query, terms);

    expect(gpu).toMatchObject({ usable: true });
    expect(gpu).not.toHaveProperty("reason");
  });

  it.each([
    ["the NVIDIA container toolkit is missing", { engines: [engine] }],
    ["No container engine can be used here", { engines: [] }],
    [
      "the toolkit's runtime is not set up",
      { engines: [engine], programs: { "nvidia-ctk": "/x" } },
    ],
    ["which no engine here reads", { engines: [engine], deviceInterfaces: NAMED }],
    ["no-cgroups is not set", { engines: [rootless], noCgroups: false }],
  ])("is missing: %s", (reason, terms) => {
    const [gpu] = read(query, terms);

    expect(gpu).toMatchObject({
      usable: false,
      reason: expect.stringContaining(reason),
      remedy: expect.any(String),
    });
  });
});

describe("the health of a GPU of NVIDIA's", () => {
  const query = { "smi-query": `${row(ONE)}\n${row(TWO, 1)}` };

  it("is well where nothing is known against it", () => {
    const [gpu] = read({
      ...query,
      "smi-bus": `${ONE}, 00000000:07:00.0, [N/A], [Not Supported]`,
      "smi-remapped": `${ONE}, 0, No`,
      "smi-recovery": `${ONE}, None`,
      "kernel-log": "[12.3] NVRM: Xid (PCI:0000:07:00): 13, pid=77, Graphics Exception",
    });

    expect(gpu).toMatchObject({ usable: true, troubles: [] });
  });

  it("tells memory errors and what the kernel says, of the right one", () => {
    const gpus = read({
      ...query,
      "smi-bus": `${ONE}, 00000000:07:00.0, 0, No\n${TWO}, 00000000:65:00.0, 3, Yes`,
      "kernel-log": "[ 99.1] NVRM: Xid (PCI:0000:65:00): 48, pid='<unknown>', name=<unknown>",
    });

    expect(gpus.map(({ usable, troubles }) => ({ usable, troubles }))).toEqual([
      { usable: true, troubles: [] },
      {
        usable: true,
        troubles: [
          "3 uncorrectable memory errors since its driver was loaded.",
          "Bad memory is set aside at its next reset.",
          "The kernel's log tells of an uncorrectable memory error (Xid 48).",
        ],
      },
    ]);
  });

  it.each([
    ["smi-remapped", `${ONE}, Yes, Yes`, "Its memory is broken"],
    ["smi-remapped", `${ONE}, 1, 1`, "Its memory is broken"],
    ["smi-recovery", `${ONE}, Reboot`, "Its driver wants it to recover first: Reboot."],
    ["smi-recovery", `${ONE}, Drain and Reset`, "recover first: Drain and Reset."],
  ])("keeps it from jobs: %s says %s", (part, said, reason) => {
    const [one, two] = read({ ...query, [part]: said });

    expect(one).toMatchObject({ usable: false, reason: expect.stringContaining(reason) });
    expect(two).toMatchObject({ usable: true });
  });

  it("is not known from a driver that does not know the question", () => {
    const refusal = 'Field "gpu_recovery_action" is not a valid field to query.';
    const [gpu] = read({ ...query, "smi-recovery": refusal }, { codes: { "smi-recovery": 2 } });

    expect(gpu).toMatchObject({ usable: true, troubles: [] });
  });

  it.each(["[GPU requires reset]", "[Unknown Error]", "ERR!"])(
    "is bad when a field says %s",
    (said) => {
      const [gpu] = read({ "smi-query": `0, ${ONE}, NVIDIA A30, ${said}, 550.54.15, 8.0, [N/A]` });

      expect(gpu).toMatchObject({ usable: false, memoryBytes: null, remedy: expect.any(String) });
    },
  );
});

it("says of MIG without slices why it is of no use", () => {
  const [gpu] = read({ "smi-query": row(ONE, 0, "Enabled") });

  expect(gpu).toMatchObject({ usable: false, reason: "MIG is on, and no slice has been made." });
});

it("reads what came before the connection broke", () => {
  const output = `n begin smi-query\n${row(ONE)}\n\nn end 0\nn begin smi-list\nGPU 0: NV`;

  expect(readGpus(readSections(output, "n"), { engines: [engine], programs: {} })).toHaveLength(1);
});

it("gives each GPU its own of thousands of processes", () => {
  const apps = Array.from(
    { length: 6000 },
    (_, at) => `${at % 3 ? ONE : TWO}, ${at + 1}, [Not Found], [N/A]`,
  );

  const gpus = read({ "smi-query": `${row(ONE)}\n${row(TWO, 1)}`, "smi-apps": apps.join("\n") });

  expect(gpus.map(({ processes }) => processes.length)).toEqual([4000, 2000]);
});

it("finds no GPU where nvidia-smi finds none", () => {
  const codes = { "smi-query": 6 };

  expect(read({ "smi-query": "No devices were found" }, { codes })).toEqual([]);
});

it.each([
  [
    "unable to determine the device handle for GPU 0000:65:00.0: GPU is lost.  Reboot the system",
    15,
  ],
  ["Unable to determine the device handle for GPU1: 0000:65:00.0: Unknown Error", 255],
])("names the one that fell off the bus: %s", (said, code) => {
  const gpus = read({ "smi-query": said }, { codes: { "smi-query": code } });

  expect(gpus).toMatchObject([
    {
      pciAddress: "0000:65:00.0",
      usable: false,
      reason: expect.stringContaining("fallen off the bus"),
    },
  ]);
});

describe("a GPU of AMD's", () => {
  const parts = {
    pci: "0000:03:00.0 0x030000 0x1002 0x744c amdgpu|Navi 31 [Radeon RX 7900 XTX]",
    nodes: "shut /dev/kfd\nshut /dev/dri/renderD128",
    amd: "driver 6.10.5\nmemory 0000:03:00.0 25753026560\nrender 0000:03:00.0 renderD128",
  };

  it("goes into a container by its nodes, and by its place where it has no id", () => {
    const [gpu] = read(parts);

    expect(gpu).toMatchObject({
      vendor: "amd",
      model: "AMD Radeon RX 7900 XTX",
      uuid: "PCI-0000:03:00.0",
      driver: "6.10.5",
      memoryBytes: 25753026560,
      usable: true,
      deviceNodes: ["/dev/kfd", "/dev/dri/renderD128"],
    });
  });

  it("is of no use to a user's own engine that may not open them", () => {
    const [gpu] = read(parts, { engines: [{ ...engine, rootless: true }] });

    expect(gpu).toMatchObject({
      usable: false,
      remedy: expect.stringContaining("render and video"),
    });
  });
});
