/** A GPU on the PCI bus. */
export type PciGpu = {
  /** `0000:07:00.0` */
  readonly address: string;
  readonly vendor: "nvidia" | "amd" | "intel";
  readonly model: string;
  /** Name of the kernel's driver that is bound to it; empty when there is none. */
  readonly driver: string;
};

const VENDORS: { readonly [id: string]: { vendor: PciGpu["vendor"]; brand: string } } = {
  "0x10de": { vendor: "nvidia", brand: "NVIDIA" },
  "0x1002": { vendor: "amd", brand: "AMD" },
  "0x8086": { vendor: "intel", brand: "Intel" },
};

/** Lines `ADDRESS CLASS VENDOR DEVICE DRIVER|NAME` of the probe's script. */
export function readPciGpus(text: string): PciGpu[] {
  const lines = text.matchAll(/^(\S+) 0x(?:03|12)\w* (0x\w{4}) 0x(\w{4}) ?(\S*?)\|(.*)$/gm);
  return [...lines].flatMap(([, address = "", id = "", device = "", driver = "", name = ""]) => {
    const known = VENDORS[id];
    if (known === undefined) return [];
    const { vendor, brand } = known;
    // pci.ids has the product's name in brackets behind that of the chip.
    const product = /\[(.+?)\]/.exec(name)?.[1] ?? name;
    const model = product === "" ? `device ${id.slice(2)}:${device}` : product;
    return [{ address, vendor, model: `${brand} ${model}`, driver }];
  });
}
