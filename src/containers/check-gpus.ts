import type Docker from "dockerode";
import { BerthError, textOf } from "../../runner/errors.ts";
import { DiedOf } from "../../runner/job/job-death.ts";
import type { ContainerLease } from "./container-lease.ts";
import { runInContainer } from "./pods/run-in-container.ts";

/** A driver that is asked for the first time may take its time. */
const LIMIT_MS = 30_000;

/** Each look in a line of its own; the variable of NVIDIA's runtime is only in the environment of the first process. */
const SCRIPT = `if command -v nvidia-smi >/dev/null 2>&1; then
  nvidia-smi -L 2>&1
  echo "smi $?"
fi
for node in /dev/nvidia[0-9]* /dev/kfd /dev/dri/renderD*; do
  [ -e "$node" ] && echo "node $node"
done
echo environment
cat /proc/1/environ 2>/dev/null
:`;

/**
 * Sees to it that a job's container has the GPUs that were leased to it, and no other. Does nothing where none were.
 *
 * @throws {BerthError} `HOST_UNUSABLE`, of which the job dies as of `gpu-mismatch`; errors of the engine.
 */
export async function checkGpus(
  docker: Docker,
  containerId: string,
  { lease, signal }: { readonly lease: ContainerLease | undefined; readonly signal: AbortSignal },
): Promise<void> {
  const { gpus = [], gpuAccess = { by: "runtime" } } = lease ?? {};
  if (gpus.length === 0) return;
  const why = await runInContainer(docker, containerId, SCRIPT, {
    // Whoever runs the first process may read its environment.
    user: "",
    limitMs: LIMIT_MS,
    signal,
  }).then(
    ({ stdout }) => gpuMismatch(stdout, { gpus, gpuAccess }),
    (error: unknown) => {
      if (!(error instanceof BerthError) || error.code !== "SETUP_FAILED") throw error;
      return `It could not be asked for them: ${textOf(error)}`;
    },
  );
  if (why === undefined) return;
  throw new BerthError("HOST_UNUSABLE", {
    message: `The job's container did not get the GPUs that were leased to it (${gpus.join(", ")}). ${why}`,
    remedy: "Look at the host's driver and container toolkit: `berth host probe NAME` tells more.",
    cause: new DiedOf("gpu-mismatch"),
  });
}

/** What is wrong with the GPUs of a container, in a sentence; `undefined` when nothing is. */
export function gpuMismatch(
  printed: string,
  { gpus, gpuAccess }: Required<Pick<ContainerLease, "gpus" | "gpuAccess">>,
): string | undefined {
  const [looks = "", environment = ""] = printed.split(/^environment\n/m);
  const nodes = [...looks.matchAll(/^node (.+)$/gm)].map(([, path = ""]) => path);
  if (gpuAccess?.by === "nodes") {
    return compare(gpuAccess.nodes, nodes, "It has the device nodes");
  }
  const listed = /^smi (\d+)$/m.exec(looks);
  if (listed !== null) return fromList(looks.slice(0, listed.index), listed[1], gpus ?? []);

  const isSliced = gpus?.some((uuid) => uuid.startsWith("MIG-"));
  const cards = nodes.filter((path) => path.startsWith("/dev/nvidia"));
  if (cards.length > 0) {
    const isRight = isSliced || cards.length === gpus?.length;
    return isRight ? undefined : `It has ${cards.join(", ")}.`;
  }
  const variable = environment
    .split("\0")
    .find((entry) => entry.startsWith("NVIDIA_VISIBLE_DEVICES="));
  if (variable === undefined) return "There is no sign of a GPU in it.";
  return compare(gpus ?? [], variable.replace(/^.*?=/, "").split(","), "It was given");
}

/** Slices are listed below the GPUs that they were cut from. */
function fromList(
  text: string,
  exitCode: string | undefined,
  gpus: readonly string[],
): string | undefined {
  if (exitCode !== "0") return `nvidia-smi failed in it: ${text.trim().slice(0, 300)}`;
  const found = [...text.matchAll(/\(UUID: ([^)]+)\)/g)].map(([, uuid = ""]) => uuid);
  const slices = found.filter((uuid) => uuid.startsWith("MIG-"));
  return compare(gpus, slices.length > 0 ? slices : found, "nvidia-smi lists");
}

function compare(
  wanted: readonly string[],
  found: readonly string[],
  words: string,
): string | undefined {
  const isSame = wanted.length === found.length && wanted.every((one) => found.includes(one));
  return isSame ? undefined : `${words} ${found.join(", ") || "none"}.`;
}
