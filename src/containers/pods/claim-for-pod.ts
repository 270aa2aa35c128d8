import { BerthError, textOf } from "../../../runner/errors.ts";
import type { Engine } from "../connect-engine.ts";
import type { GpuClaim, PodHost } from "./pod-host.ts";
import type { GpuWish } from "./pod-wish.ts";
import type { UndoList } from "./undo-list.ts";

/**
 * Claims the GPUs that a pod asks for; with `auto` it goes on without, and a warning says why.
 *
 * @throws {BerthError} `HOST_UNUSABLE` when they are not to be had and are not optional.
 */
export async function claimForPod(
  host: PodHost,
  pod: { readonly wish: GpuWish | undefined; readonly podId: string; readonly engine: Engine },
  { undo, signal }: { readonly undo: UndoList; readonly signal: AbortSignal },
): Promise<{ claim: GpuClaim | undefined; warnings: string[] }> {
  const { wish, podId, engine } = pod;
  if (wish === undefined) return { claim: undefined, warnings: [] };
  try {
    if (host.claimGpus === undefined) throw noGpusKnown(host.name);
    const claim = await host.claimGpus(wish, { podId, engine }, signal);
    undo.add("the claim on its GPUs", () => claim.release());
    return { claim, warnings: [] };
  } catch (error) {
    signal.throwIfAborted();
    if (!wish.isOptional || !(error instanceof BerthError)) throw error;
    return { claim: undefined, warnings: [goesWithout(error)] };
  }
}

export function goesWithout(error: unknown): string {
  return `It goes on without a GPU: ${textOf(error)}`;
}

function noGpusKnown(host: string): BerthError {
  return new BerthError("HOST_UNUSABLE", {
    message: `${host} is known by its engine alone, which does not tell of GPUs.`,
    remedy: "Name the host in berth.yml with `ssh`, so that its GPUs can be looked at.",
  });
}
