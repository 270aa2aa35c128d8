import type { EngineFacts, GpuFacts } from "./host-facts.ts";
import { whyNoNodes } from "./probe-gpu-runtime.ts";
import type { Unusable } from "./probe-nvidia-failure.ts";
import type { PciGpu } from "./probe-pci.ts";
import { type Sections, textOf } from "./probe-sections.ts";

/** GPUs of AMD and Intel. Those of AMD go into a container by their device nodes. */
export function findOtherGpus(
  pci: readonly PciGpu[],
  { sections, engines }: { sections: Sections; engines: readonly EngineFacts[] },
): GpuFacts[] {
  const nodes = readNodes(textOf(sections, "nodes"));
  const amd = readAmd(textOf(sections, "amd"));
  return pci.map((gpu, index) => {
    const isAmd = gpu.vendor === "amd";
    const told = isAmd ? amd(gpu.address) : undefined;
    const own = isAmd ? nodesOf(told?.render, nodes) : [];
    const isShut = own.some((node) => nodes.get(node) === "shut");
    const why = isAmd ? (whyNotAmd(gpu, own) ?? whyNoNodes(engines, isShut)) : whyNotIntel();
    return {
      vendor: gpu.vendor,
      index,
      uuid: told?.uuid ?? null,
      model: told?.model ?? gpu.model,
      memoryBytes: told?.memoryBytes ?? null,
      driver: told?.driver ?? (gpu.driver || null),
      cuda: null,
      computeCapability: null,
      pciAddress: gpu.address,
      migMode: false,
      mig: [],
      processes: told?.processes ?? [],
      troubles: [],
      deviceNodes: own,
      usable: why === undefined,
      ...why,
    };
  });
}

type Nodes = ReadonlyMap<string, string>;

/** Lines `open PATH` and `shut PATH`. */
function readNodes(text: string): Nodes {
  const lines = text.matchAll(/^(open|shut) (\/.*)$/gm);
  return new Map([...lines].map(([, state = "", path = ""]) => [path, state]));
}

/** The node of all AMD GPUs and that of this one; all of them where the driver does not tell which is whose. */
function nodesOf(render: string | undefined, nodes: Nodes): string[] {
  const renders = [...nodes.keys()].filter((path) => path.startsWith("/dev/dri/renderD"));
  const own =
    render === undefined ? renders : renders.filter((path) => path.endsWith(`/${render}`));
  return nodes.has("/dev/kfd") && own.length > 0 ? ["/dev/kfd", ...own] : [];
}

/** What the driver tells of the GPU at an address. Consumer cards have no id of their own: their place on the bus stands for it. */
function readAmd(text: string) {
  const field = (name: string, address: string) =>
    new RegExp(`^${name} ${address.replaceAll(".", "\\.")} (.+)$`, "m").exec(text)?.[1];
  const driver = /^driver (.+)$/m.exec(text)?.[1];
  const users = [...text.matchAll(/^process (\S+) (\d+) (\d+) ?(.*)$/gm)];
  return (address: string) => {
    const unique = /^(?:0x)?([0-9a-f]{6,})$/i.exec(field("unique", address) ?? "")?.[1];
    const render = field("render", address);
    const processes = users
      .filter(([, on]) => on === render)
      .map(([, , pid, bytes, name = ""]) => ({
        pid: Number(pid),
        name,
        memoryBytes: Number(bytes),
      }));
    const product = field("product", address);
    return {
      uuid: unique === undefined ? `PCI-${address}` : `GPU-${unique.toLowerCase()}`,
      model:
        product === undefined ? undefined : product.startsWith("AMD") ? product : `AMD ${product}`,
      memoryBytes: Number(field("memory", address)) || null,
      driver,
      render,
      processes,
    };
  };
}

function whyNotAmd({ driver }: PciGpu, nodes: readonly string[]): Unusable | undefined {
  if (driver === "vfio-pci") {
    return {
      reason: "It is set aside for virtual machines (vfio-pci).",
      remedy: "Take it out of the VM's configuration and bind it to the amdgpu driver.",
    };
  }
  if (nodes.length === 0) {
    return {
      reason: "There is no /dev/kfd or no /dev/dri/renderD*: its driver for computing is missing.",
      remedy: "Load amdgpu (`sudo modprobe amdgpu`), or install ROCm's driver and reboot.",
    };
  }
  return undefined;
}

function whyNotIntel(): Unusable {
  return {
    reason: "Berth finds GPUs of Intel, but does not give them to jobs.",
    remedy: "Use the host for jobs without the label gpu.",
  };
}
