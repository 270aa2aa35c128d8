import { BerthError } from "../errors.ts";
import type { RunningStep } from "./running-step.ts";

type NodeVersion = "node20" | "node24";

const FORCE_24 = "FORCE_JAVASCRIPT_ACTIONS_TO_NODE24";
const ALLOW_20 = "ACTIONS_ALLOW_USE_UNSECURE_NODE_VERSION";

/**
 * The Node program for an action: `/__e/node20` or `/__e/node24` in a container, the machine's own where there is none. An image
 * with musl, or without any C library, cannot run those of `/__e`; its own is taken, if it has one.
 *
 * @throws {BerthError} `IMAGE_UNUSABLE` when the image has no Node that runs in it.
 */
export function chooseNode(wanted: NodeVersion, self: RunningStep): string {
  const { place } = self.running;
  const { facts } = place.shell;
  const isInContainer = place.containerId !== undefined;
  if (!isInContainer) return facts.programs.node ?? process.execPath;
  if (facts.libc === "glibc") return `/__e/${raise(wanted, self)}/bin/node`;

  const own = facts.programs.node;
  if (own !== undefined) return own;
  throw new BerthError("IMAGE_UNUSABLE", {
    message: `The image ${place.image} ${LACKS[facts.libc]}, and has none of its own: a JavaScript action cannot run in it.`,
    remedy:
      "Install Node in the image (Alpine: apk add nodejs), or take an image made with glibc, such as a Debian one.",
  });
}

const LACKS = {
  musl: "is made with musl, for which Berth brings no Node",
  unknown: "has no glibc, which the Node that Berth brings needs",
} as const;

/** Node 20 is over: its actions run on 24 unless the author allows the old one, as on GitHub (`NodeUtil.cs`). */
function raise(wanted: NodeVersion, { env, log }: RunningStep): NodeVersion {
  if (wanted === "node24") return wanted;
  const allows20 = isTrue(env[ALLOW_20]);
  if (allows20 && isTrue(env[FORCE_24])) {
    const message = `Both ${FORCE_24} and ${ALLOW_20} environment variables are set to true in the workflow environment. This is likely a configuration error. Using the default Node version: node24.`;
    log.annotate({ level: "warning", message });
    return "node24";
  }
  return allows20 ? "node20" : "node24";
}

function isTrue(value: string | undefined): boolean {
  return value?.trim().toLowerCase() === "true";
}
