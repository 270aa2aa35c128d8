import { columnsOf, readPciAddress } from "./probe-nvidia.ts";
import type { Unusable } from "./probe-nvidia-failure.ts";
import { type Sections, textOf } from "./probe-sections.ts";

/** How a GPU of NVIDIA's is, beside that it answers. */
export type NvidiaHealth = {
  /** Sentences for people. */
  readonly troubles: readonly string[];
  /** It must not be given to a job. */
  readonly why?: Unusable;
};

/**
 * Errors of a GPU that are told in the kernel's log and come of the GPU itself, not of what ran on it.
 * Source: the list of Xid errors in NVIDIA's documentation of GPU deployment.
 */
const XIDS: { readonly [number: string]: string } = {
  48: "an uncorrectable memory error",
  62: "a halt of an internal processor",
  64: "a failed retirement of memory",
  74: "an error of NVLink",
  79: "a fall off the bus",
  95: "an uncontained memory error",
  119: "a timeout of its firmware",
  120: "an error of its firmware",
};

/** Reads what `nvidia-smi` and the kernel tell of memory errors and resets; what an older driver does not know is missing. */
export function readNvidiaHealth(
  sections: Sections,
): (gpu: {
  readonly uuid?: string | undefined;
  readonly pciAddress?: string | undefined;
}) => NvidiaHealth {
  const errors = rowsOf(textOf(sections, "smi-bus"));
  const remapped = rowsOf(textOf(sections, "smi-remapped"));
  const recovery = rowsOf(textOf(sections, "smi-recovery"));
  const xids = readXids(textOf(sections, "kernel-log"));
  return ({ uuid = "", pciAddress = "" }) => {
    const [, uncorrected = "", retiring = ""] = errors.get(uuid) ?? [];
    const [pending = "", failed = ""] = remapped.get(uuid) ?? [];
    const [action = ""] = recovery.get(uuid) ?? [];
    const xid = xids.get(pciAddress);
    const count = /^[1-9]\d*$/.exec(uncorrected)?.[0];
    const troubles = [
      ...(count === undefined
        ? []
        : [`${count} uncorrectable memory errors since its driver was loaded.`]),
      ...(isYes(retiring) || isYes(pending) ? ["Bad memory is set aside at its next reset."] : []),
      ...(xid === undefined ? [] : [`The kernel's log tells of ${XIDS[xid]} (Xid ${xid}).`]),
    ];
    const why = whyUnfit({ failed, action });
    return { troubles, ...(why !== undefined && { why }) };
  };
}

function whyUnfit({ failed, action }: { failed: string; action: string }): Unusable | undefined {
  if (isYes(failed)) {
    return {
      reason: "Its memory is broken, and there is no spare left for it (remapping of rows failed).",
      remedy: "Have it replaced; until then leave it out.",
    };
  }
  if (/reset|reboot|drain/i.test(action)) {
    return {
      reason: `Its driver wants it to recover first: ${action}.`,
      remedy: /reboot/i.test(action)
        ? "Reboot the machine."
        : "Stop what uses it and run `sudo nvidia-smi --gpu-reset -i INDEX`, or reboot.",
    };
  }
  return undefined;
}

/** Drivers write Yes and No, or count. */
function isYes(text: string): boolean {
  return /^(?:yes|true|[1-9]\d*)$/i.test(text);
}

/** Rows by the UUID in their first column, without it. */
function rowsOf(text: string): Map<string, string[]> {
  const rows = text.split("\n").map((line) => columnsOf(line, 2));
  return new Map(
    rows.flatMap(([uuid = "", ...rest]) =>
      uuid.startsWith("GPU-") ? [[uuid, rest] as const] : [],
    ),
  );
}

/** The newest that matters of each GPU: `NVRM: Xid (PCI:0000:65:00): 79, pid=1234, GPU has fallen off the bus.` */
function readXids(text: string): Map<string, string> {
  const told = text.matchAll(/NVRM: Xid \(PCI:([0-9a-f:.]+)\): (\d+)/gi);
  return new Map(
    [...told].flatMap(([, at = "", number = ""]) => {
      const address = readPciAddress(/\.[0-7]$/.test(at) ? at : `${at}.0`);
      return address !== undefined && number in XIDS ? [[address, number] as const] : [];
    }),
  );
}
