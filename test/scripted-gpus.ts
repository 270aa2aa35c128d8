/**
 * Programs, by name, that make a machine look as if it had NVIDIA GPUs: `nvidia-smi` lists them, and a dockerd that finds the hook on its PATH hands
 * them out. Which of them a container was given it says in the container's `NVIDIA_VISIBLE_DEVICES`; without a driver nothing else happens.
 */
export function scriptedGpus(uuids: readonly string[]): ReadonlyMap<string, string> {
  return new Map([
    ["nvidia-container-runtime-hook", "#!/bin/sh\ncat > /dev/null\n"],
    ["nvidia-smi", `#!/bin/sh\n${scriptedSmi(uuids)}\n`],
  ]);
}

/** What `nvidia-smi` prints of such GPUs. */
function scriptedSmi(uuids: readonly string[]): string {
  const print = (lineOf: (uuid: string, index: number) => string) =>
    `printf '%s\\n' ${uuids.map((uuid, index) => `'${lineOf(uuid, index)}'`).join(" ")}`;
  const model = "NVIDIA A100-SXM4-80GB";
  return `case "$*" in
*compute_cap*) ${print((uuid, index) => `${index}, ${uuid}, ${model}, 81920, 550.54.15, 8.0, Disabled`)} ;;
*-L*) ${print((uuid, index) => `GPU ${index}: ${model} (UUID: ${uuid})`)} ;;
*pci.bus_id*) ${print((uuid, index) => `${uuid}, 00000000:0${index}:00.0`)} ;;
*compute-apps*) ;;
*) echo "| Driver Version: 550.54.15    CUDA Version: 12.4 |" ;;
esac`;
}
