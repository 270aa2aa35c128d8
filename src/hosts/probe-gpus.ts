import { cudaOfDriver } from "./cuda-of-driver.ts";
import type { GpuFacts, HostFacts } from "./host-facts.ts";
import { whyNoNvidiaContainer } from "./probe-gpu-runtime.ts";
import {
  type NvidiaGpu,
  readBusIds,
  readComputeApps,
  readCudaVersion,
  readDriverGpus,
  readDriverVersion,
  readGpuList,
  readGpuQuery,
} from "./probe-nvidia.ts";
import { explainFailure, readLostGpus, type Unusable } from "./probe-nvidia-failure.ts";
import { readNvidiaHealth } from "./probe-nvidia-health.ts";
import { findOtherGpus } from "./probe-other-gpus.ts";
import { type PciGpu, readPciGpus } from "./probe-pci.ts";
import { type Sections, textOf } from "./probe-sections.ts";

/**
 * All GPUs of a machine: those of NVIDIA from `nvidia-smi`, from the driver and from the PCI bus, joined by PCI address and UUID, then those of
 * others. What is there and cannot be used says why and what to do.
 */
export function readGpus(
  sections: Sections,
  terms: Pick<HostFacts, "engines" | "programs"> & {
    readonly deviceInterfaces?: readonly string[];
    readonly noCgroups?: boolean | null;
  },
): GpuFacts[] {
  const pci = readPciGpus(textOf(sections, "pci"));
  const nvidia = readNvidia(
    sections,
    pci.filter(({ vendor }) => vendor === "nvidia"),
  );
  const noWay = whyNoNvidiaContainer({ deviceInterfaces: [], noCgroups: null, ...terms });
  return [
    ...nvidia.map((gpu) => (gpu.usable && noWay ? { ...gpu, usable: false, ...noWay } : gpu)),
    ...findOtherGpus(
      pci.filter(({ vendor }) => vendor !== "nvidia"),
      { sections, engines: terms.engines },
    ),
  ];
}

function readNvidia(sections: Sections, pci: readonly PciGpu[]): GpuFacts[] {
  const [query] = sections.get("smi-query") ?? [];
  const failed = explainFailure(sections.get("smi-query-old")?.[0] ?? query);
  const printed = [...(sections.get("smi-query") ?? []), ...(sections.get("smi-list") ?? [])];
  const lost = readLostGpus(printed.map(({ text }) => text).join("\n"));
  const { gpus: listed, slices } = readGpuList(sections.get("smi-list")?.[0]?.text ?? "");
  const queried = ["smi-query", "smi-query-old"].flatMap((name) =>
    readGpuQuery(sections.get(name)?.[0]?.text ?? ""),
  );
  const seen = joinByUuid(queried, listed);
  const buses = readBusIds(textOf(sections, "smi-bus"));
  const located = seen.map((gpu) => ({ pciAddress: buses.get(gpu.uuid ?? ""), ...gpu }));

  const details = {
    driver: readDriverVersion(textOf(sections, "driver")),
    cuda: readCudaVersion(textOf(sections, "smi-summary")),
    processes: readComputeApps(textOf(sections, "smi-apps")),
    slices,
  };
  const healthOf = readNvidiaHealth(sections);
  const healthy = located.map((gpu) => {
    const { troubles, why } = healthOf(gpu);
    return { ...factsOf(gpu, details, whyBroken(gpu, slices) ?? why), troubles };
  });
  const others = unseen(located, {
    driver: readDriverGpus(textOf(sections, "driver-gpus")),
    pci,
    lost,
  });
  const broken = others.map((gpu) => {
    const why = lost.find(({ pciAddress }) => pciAddress === gpu.pciAddress);
    return factsOf(gpu, details, why ?? failed ?? whySilent(gpu, pci, sections));
  });
  if (healthy.length + broken.length === 0 && failed !== undefined) {
    return [factsOf({}, details, failed)];
  }
  return [...healthy, ...broken];
}

function joinByUuid(queried: readonly NvidiaGpu[], listed: readonly NvidiaGpu[]): NvidiaGpu[] {
  const joined = new Map<string | undefined, NvidiaGpu>();
  for (const gpu of [...listed, ...queried]) {
    joined.set(gpu.uuid, { ...joined.get(gpu.uuid), ...gpu });
  }
  return [...joined.values()].sort((a, b) => (a.index ?? 0) - (b.index ?? 0));
}

/** GPUs that the driver, the bus or an error names and `nvidia-smi` does not list. */
function unseen(
  located: readonly NvidiaGpu[],
  {
    driver,
    pci,
    lost,
  }: { driver: NvidiaGpu[]; pci: readonly PciGpu[]; lost: readonly { pciAddress: string }[] },
): NvidiaGpu[] {
  const others = new Map<string, NvidiaGpu>();
  for (const gpu of [
    ...pci.map(({ address, model }) => ({ pciAddress: address, model })),
    ...driver,
    ...lost,
  ]) {
    const at = gpu.pciAddress ?? "";
    const { pciAddress, ...rest } = { model: undefined, uuid: undefined, ...gpu };
    const model = rest.model ?? others.get(at)?.model;
    const uuid = rest.uuid ?? others.get(at)?.uuid;
    others.set(at, { pciAddress: at, ...(model && { model }), ...(uuid && { uuid }) });
  }
  const isSeen = (gpu: NvidiaGpu) =>
    located.some((one) => one.pciAddress === gpu.pciAddress || (gpu.uuid && one.uuid === gpu.uuid));
  const rest = [...others.values()].filter((gpu) => !isSeen(gpu));
  // Without addresses there is no telling which one of the bus is which.
  const isBlind = located.some(({ pciAddress }) => pciAddress === undefined);
  return isBlind
    ? rest.filter((gpu) => lost.some((one) => one.pciAddress === gpu.pciAddress))
    : rest;
}

type Details = {
  readonly driver: string | undefined;
  readonly cuda: string | undefined;
  readonly processes: ReturnType<typeof readComputeApps>;
  readonly slices: ReturnType<typeof readGpuList>["slices"];
};

function factsOf(gpu: NvidiaGpu, details: Details, why: Unusable | undefined): GpuFacts {
  const mig = details.slices.get(gpu.uuid ?? "") ?? [];
  const driver = gpu.driver ?? details.driver;
  const users = [gpu.uuid ?? "", ...mig.map(({ uuid }) => uuid)];
  return {
    vendor: "nvidia",
    index: gpu.index ?? null,
    uuid: gpu.uuid ?? null,
    model: gpu.model ?? "NVIDIA GPU of unknown model",
    memoryBytes: gpu.memoryBytes ?? null,
    driver: driver ?? null,
    cuda: details.cuda ?? (driver && cudaOfDriver(driver)) ?? null,
    computeCapability: gpu.computeCapability ?? null,
    pciAddress: gpu.pciAddress ?? null,
    migMode: gpu.migMode ?? mig.length > 0,
    mig,
    processes: users.flatMap((uuid) => details.processes.get(uuid) ?? []),
    troubles: [],
    deviceNodes: [],
    usable: why === undefined,
    ...why,
  };
}

function whyBroken(gpu: NvidiaGpu, slices: Details["slices"]): Unusable | undefined {
  if (gpu.problem !== undefined) {
    return {
      reason: `nvidia-smi says of it: ${gpu.problem}.`,
      remedy: `Stop what uses it and run \`sudo nvidia-smi --gpu-reset -i ${gpu.index}\`, or reboot.`,
    };
  }
  if (gpu.migMode && !slices.has(gpu.uuid ?? "")) {
    return {
      reason: "MIG is on, and no slice has been made.",
      remedy: `Make slices (\`sudo nvidia-smi mig -i ${gpu.index} -cgi PROFILE -C\`), or turn it off with \`sudo nvidia-smi -i ${gpu.index} -mig 0\`.`,
    };
  }
  return undefined;
}

/** Of a GPU on the bus that nothing else speaks of. */
function whySilent(gpu: NvidiaGpu, pci: readonly PciGpu[], sections: Sections): Unusable {
  const bound = pci.find(({ address }) => address === gpu.pciAddress)?.driver;
  if (bound === "vfio-pci") {
    return {
      reason: "It is set aside for virtual machines (vfio-pci).",
      remedy: "Take it out of the VM's configuration and bind it to the nvidia driver.",
    };
  }
  if (bound === "nouveau") {
    return {
      reason: "It runs on the nouveau driver, which cannot compute.",
      remedy: "Install NVIDIA's driver, which turns nouveau off, and reboot.",
    };
  }
  if (!sections.has("smi-query")) {
    return sections.has("driver") || bound === "nvidia"
      ? {
          reason: "The NVIDIA driver is loaded, but nvidia-smi is not installed.",
          remedy: "Install the driver's utilities (nvidia-utils, nvidia-smi) in its version.",
        }
      : {
          reason: "The NVIDIA driver is not installed.",
          remedy: "Install the NVIDIA driver and reboot.",
        };
  }
  return {
    reason: "It is on the PCI bus, but nvidia-smi does not list it.",
    remedy: "See what `dmesg` says of NVRM and Xid; a driver may be too old for it.",
  };
}
