import type { GpuFacts } from "./host-facts.ts";
import type { PciGpu } from "./probe-pci.ts";

/** GPUs of AMD and Intel. Those of AMD go into a container by their device nodes. */
export function findOtherGpus(pci: readonly PciGpu[], nodes: string): GpuFacts[] {
  return pci.map((gpu, index) => {
    const { vendor, model, address } = gpu;
    const why = vendor === "amd" ? whyNotAmd(gpu, nodes) : whyNotIntel();
    return {
      vendor,
      index,
      uuid: null,
      model,
      memoryBytes: null,
      driver: gpu.driver || null,
      cuda: null,
      computeCapability: null,
      pciAddress: address,
      migMode: false,
      mig: [],
      processes: [],
      troubles: [],
      deviceNodes: [],
      usable: why === undefined,
      ...why,
    };
  });
}

function whyNotAmd({ driver }: PciGpu, nodes: string) {
  if (driver === "vfio-pci") {
    return {
      reason: "It is set aside for virtual machines (vfio-pci).",
      remedy: "Take it out of the VM's configuration and bind it to the amdgpu driver.",
    };
  }
  if (!/^(?:open|shut) \/dev\/kfd$/m.test(nodes) || !/ \/dev\/dri\/renderD\d+$/m.test(nodes)) {
    return {
      reason: "There is no /dev/kfd or no /dev/dri/renderD*: its driver for computing is missing.",
      remedy: "Load amdgpu (`sudo modprobe amdgpu`), or install ROCm's driver and reboot.",
    };
  }
  return undefined;
}

function whyNotIntel() {
  return {
    reason: "Berth finds GPUs of Intel, but does not give them to jobs.",
    remedy: "Use the host for jobs without the label gpu.",
  };
}
