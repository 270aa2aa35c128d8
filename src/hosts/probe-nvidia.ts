import type { GpuProcess } from "./host-facts.ts";

/** A GPU as `nvidia-smi` or the driver tells of it; what it does not tell is left out. */
export type NvidiaGpu = {
  readonly index?: number | undefined;
  readonly uuid?: string | undefined;
  readonly model?: string | undefined;
  readonly memoryBytes?: number | undefined;
  readonly driver?: string | undefined;
  readonly computeCapability?: string | undefined;
  readonly migMode?: boolean | undefined;
  readonly pciAddress?: string | undefined;
  /** A field that says so: "GPU requires reset". */
  readonly problem?: string | undefined;
};

const GPU_UUID = /^GPU-[0-9a-f]{8}-[0-9a-f-]{27}$|^GPU-[\w-]+$/i;

/**
 * Rows of `nvidia-smi --query-gpu=index,uuid,name,memory.total,driver_version,compute_cap,mig.mode.current --format=csv`, with and without header
 * and units. What is no row, such as a warning or a row that was cut off before the model, is passed over.
 */
export function readGpuQuery(text: string): NvidiaGpu[] {
  return text.split("\n").flatMap((line) => {
    const [index, uuid = "", model, memory, driver, capability, mig] = columnsOf(line, 5);
    if (!/^\d+$/.test(index ?? "") || !GPU_UUID.test(uuid) || model === undefined) return [];
    const problem = [model, memory, driver].map(problemOf).find(Boolean);
    const memoryBytes = readMebibytes(memory);
    return [
      {
        index: Number(index),
        uuid,
        ...(isValue(model) && { model }),
        ...(memoryBytes !== undefined && { memoryBytes }),
        ...(/^\d+(\.\d+)+$/.test(driver ?? "") && { driver }),
        ...(/^\d+[.,]\d+$/.test(capability ?? "") && {
          computeCapability: capability?.replace(",", "."),
        }),
        migMode: mig?.toLowerCase() === "enabled",
        ...(problem !== undefined && { problem }),
      },
    ];
  });
}

/** GPUs and their MIG slices from `nvidia-smi -L`, slices by the UUID of their GPU. */
export function readGpuList(text: string): {
  gpus: NvidiaGpu[];
  slices: Map<string, { uuid: string; profile: string }[]>;
} {
  const gpus: NvidiaGpu[] = [];
  const slices = new Map<string, { uuid: string; profile: string }[]>();
  for (const line of text.split("\n")) {
    const gpu = /^GPU (\d+): (.+) \(UUID: (GPU-[^)]+)\)/.exec(line);
    if (gpu !== null) gpus.push({ index: Number(gpu[1]), model: gpu[2] ?? "", uuid: gpu[3] ?? "" });
    const slice = /^\s+MIG (\S+)\s+Device\s+\d+: \(UUID: (MIG-[^)]+)\)/.exec(line);
    const owner = gpus.at(-1)?.uuid;
    if (slice === null || owner === undefined) continue;
    const [, profile = "", uuid = ""] = slice;
    slices.set(owner, [...(slices.get(owner) ?? []), { uuid, profile: profile.toLowerCase() }]);
  }
  return { gpus, slices };
}

/** PCI addresses by UUID from `--query-gpu=uuid,pci.bus_id,…`. */
export function readBusIds(text: string): Map<string, string> {
  const rows = text.split("\n").map((line) => columnsOf(line, 2));
  return new Map(
    rows.flatMap(([uuid = "", bus = ""]) => {
      const address = readPciAddress(bus);
      return GPU_UUID.test(uuid) && address !== undefined ? [[uuid, address] as const] : [];
    }),
  );
}

/** What computes where, by UUID of the GPU, from `--query-compute-apps=gpu_uuid,pid,process_name,used_memory`. */
export function readComputeApps(text: string): Map<string, GpuProcess[]> {
  const processes = new Map<string, GpuProcess[]>();
  for (const line of text.split("\n")) {
    const [uuid = "", pid = "", name = "", memory] = columnsOf(line, 4);
    if (!/^(?:GPU|MIG)-/.test(uuid) || !/^\d+$/.test(pid)) continue;
    const process = { pid: Number(pid), name, memoryBytes: readMebibytes(memory) ?? null };
    const others = processes.get(uuid);
    if (others === undefined) processes.set(uuid, [process]);
    else others.push(process);
  }
  return processes;
}

/** From the head of what `nvidia-smi` prints. */
export function readCudaVersion(text: string): string | undefined {
  return /\bCUDA (?:\w+ )?Version\s*:\s*(\d+\.\d+)/i.exec(text)?.[1];
}

/** `/proc/driver/nvidia/gpus/<address>/information`, one after the other with `bus <address>` before each. */
export function readDriverGpus(text: string): NvidiaGpu[] {
  return text
    .split(/^bus /m)
    .slice(1)
    .map((part) => {
      const field = (name: string) => new RegExp(`^${name}:\\s+(.+?)\\s*$`, "m").exec(part)?.[1];
      const uuid = field("GPU UUID");
      const model = field("Model");
      const pciAddress = readPciAddress(field("Bus Location") ?? part.split("\n")[0] ?? "");
      return {
        ...(model !== undefined && model !== "Unknown" && { model }),
        // Before its first use a GPU has question marks there.
        ...(uuid !== undefined && !uuid.includes("?") && { uuid }),
        ...(pciAddress !== undefined && { pciAddress }),
      };
    });
}

/** Version of the loaded kernel module, from `/proc/driver/nvidia/version`. */
export function readDriverVersion(text: string): string | undefined {
  return /NVRM version:.*?\s(\d{3,}\.\d+(?:\.\d+)?)\s/.exec(`${text} `)?.[1];
}

/** `0000:65:00.0` from any way in which tools write it. */
export function readPciAddress(text: string): string | undefined {
  const match = /([0-9a-f]{2,8})?:?([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])/i.exec(text);
  if (match === null) return undefined;
  const [, domain = "0000", bus, device, part] = match;
  return `${domain.slice(-4).padStart(4, "0")}:${bus}:${device}.${part}`.toLowerCase();
}

/** Bytes from `81559`, `81559 MiB`, `81,559 MiB` or `81559.00`; nothing from `[N/A]`. */
export function readMebibytes(text = ""): number | undefined {
  const [, digits] = /^(\d[\d.,'\u00a0\u202f ]*?)(?:\s*MiB)?$/.exec(text.trim()) ?? [];
  if (digits === undefined) return undefined;
  const grouped = /^\d{1,3}(?:[.,'\u00a0\u202f ]\d{3})+$/.test(digits);
  const plain = grouped ? digits.replace(/\D/g, "") : digits.replace(",", ".");
  const mebibytes = Number(plain);
  return Number.isFinite(mebibytes) ? Math.round(mebibytes * 1024 ** 2) : undefined;
}

/** A comma without a blank after it belongs to a number, unless that leaves too few columns. */
export function columnsOf(line: string, least: number): string[] {
  const columns = line.trim().split(/,\s+/);
  const all = columns.length < least ? line.split(",") : columns;
  return all.map((one) => one.trim());
}

/** `[N/A]`, `[Not Supported]` and the like are no values. */
function isValue(text: string): boolean {
  return text !== "" && !/^\[.*\]$|^N\/A$|^ERR!?$/i.test(text);
}

function problemOf(text: string | undefined): string | undefined {
  if (/^ERR!$/.test(text ?? "")) return "Unknown Error";
  const [, inside] = /^\[(.*(?:reset|error|lost).*)\]$/i.exec(text ?? "") ?? [];
  return inside;
}
