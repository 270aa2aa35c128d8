import { readPciAddress } from "./probe-nvidia.ts";
import type { Section } from "./probe-sections.ts";

/** Why GPUs cannot be used, and what to do. */
export type Unusable = { readonly reason: string; readonly remedy: string };

type Failure = Unusable & { readonly pattern: RegExp };

const FAILURES: readonly Failure[] = [
  {
    pattern: /driver\/library version mismatch/i,
    reason: "The loaded NVIDIA driver is of another version than its library (a driver update).",
    remedy: "Reboot the machine, or stop what uses the GPUs and load the nvidia modules anew.",
  },
  {
    pattern: /couldn't communicate with the NVIDIA driver/i,
    reason: "The NVIDIA driver is installed, but not loaded.",
    remedy:
      "Run `sudo modprobe nvidia` and see what `dmesg` says; after a kernel update install the driver again.",
  },
  {
    pattern: /insufficient permissions/i,
    reason: "This user may not use the NVIDIA driver.",
    remedy: "Give the user access to /dev/nvidia*, mostly by the group video.",
  },
  {
    pattern: /couldn't find libnvidia-ml|libnvidia-ml\.so[^\n]*(?:cannot open|not found)/i,
    reason: "The library of the NVIDIA driver (libnvidia-ml.so) is missing.",
    remedy: "Install the driver's libraries in the version of its kernel module.",
  },
  {
    pattern: /GPU access blocked by the operating system/i,
    reason: "The operating system keeps nvidia-smi from the GPU.",
    remedy: "Under WSL update Windows' NVIDIA driver, and use no Linux driver.",
  },
];

/** Why `nvidia-smi` as a whole failed; `undefined` when it did not, or only found no GPU. */
export function explainFailure(section: Section | undefined): Unusable | undefined {
  if (section === undefined || section.code === 0) return undefined;
  const { code, text } = section;
  if (/no devices were found/i.test(text)) return undefined;
  if (code === undefined || code === 137 || code === 124) {
    return {
      reason: "nvidia-smi hangs: it did not answer in time.",
      remedy: "See what `dmesg` says of NVRM and Xid; mostly only a reboot helps.",
    };
  }
  const known = FAILURES.find(({ pattern }) => pattern.test(text));
  if (known !== undefined) return { reason: known.reason, remedy: known.remedy };
  const said = text.trim().split("\n")[0]?.slice(0, 200) || "nothing";
  return {
    reason: `nvidia-smi failed with exit code ${code} and said: ${said}`,
    remedy: "Run nvidia-smi on that machine; when it works, probe again.",
  };
}

/** GPUs that `nvidia-smi` could not get hold of: "Unable to determine the device handle for GPU0000:65:00.0: Unknown Error". */
export function readLostGpus(text: string): (Unusable & { readonly pciAddress: string })[] {
  const lost = text.matchAll(
    /unable to (?:determine|detect) the device handle for GPU\s?(?:\d+: )?([0-9a-f:.]+?\.[0-7]): ([^\n]*)/gi,
  );
  const found = [...lost].flatMap(([, address = "", said = ""]) => {
    const pciAddress = readPciAddress(address);
    if (pciAddress === undefined) return [];
    return [
      {
        pciAddress,
        reason: `It has fallen off the bus; nvidia-smi says: ${said.trim().replace(/\.?$/, ".")}`,
        remedy:
          "Reboot the machine; when it comes again, look at power, cooling, seat and what `dmesg` says of Xid.",
      },
    ];
  });
  return [...new Map(found.map((one) => [one.pciAddress, one])).values()];
}
