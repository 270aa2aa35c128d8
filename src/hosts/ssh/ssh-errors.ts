import { BerthError, textOf } from "../../../runner/errors.ts";
import type { Hop } from "./resolve-target.ts";

/** Why a machine did not answer, sorted by where to look: its name, the network, what listens there. */
export function connectionFailed(hop: Hop, cause: unknown, signal: AbortSignal): unknown {
  if (cause instanceof BerthError) return cause;
  if (signal.aborted && !isTimeout(signal.reason)) return signal.reason;
  const { why, remedy } = explain(hop, signal.aborted ? signal.reason : cause);
  return new BerthError("HOST_UNREACHABLE", {
    message: `Host ${hop.label} cannot be reached over SSH at ${addressOf(hop)}: ${why}.`,
    remedy,
    cause,
  });
}

/** The machine knows who it talks to, and says no. */
export function loginRefused(
  hop: Hop,
  {
    tried,
    unusable,
    accepts,
  }: { tried: readonly string[]; unusable: readonly string[]; accepts: readonly string[] },
  cause: unknown,
): BerthError {
  const lines = [
    `Host ${hop.label} refuses the login of ${hop.user} at ${addressOf(hop)}.`,
    tried.length > 0 ? `Tried: ${tried.join(", ")}.` : "There was nothing to try.",
    ...unusable.map((why) => `Not tried: ${why}.`),
    ...(accepts.length > 0 ? [`The machine accepts: ${accepts.join(", ")}.`] : []),
  ];
  return new BerthError("HOST_LOGIN_REFUSED", {
    message: lines.join(" "),
    remedy: `Run \`${sshCommandOf(hop)}\`. If that works, set identityFile of ${hop.label} to the key it uses (\`ssh -v\` tells); if not, add the public key to ~${hop.user}/.ssh/authorized_keys there.`,
    cause,
  });
}

/** A connection that was there and broke, for calls that cannot go on without it. */
export function connectionLost(hop: Hop, cause: unknown): BerthError {
  return new BerthError("HOST_UNREACHABLE", {
    message: `The connection to host ${hop.label} (${addressOf(hop)}) was lost: ${textOf(cause)}.`,
    remedy: "See whether the machine and the network to it are up; Berth connects again by itself.",
    cause,
  });
}

/** `ssh -p 2222 ubuntu@gpu-1` */
export function sshCommandOf({ user, host, port }: Pick<Hop, "user" | "host" | "port">): string {
  return `ssh ${port === 22 ? "" : `-p ${port} `}${user}@${host}`;
}

function addressOf({ host, port }: Hop): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function explain(hop: Hop, cause: unknown): { why: string; remedy: string } {
  switch (codeOf(cause)) {
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EAI_NODATA":
      return {
        why: `there is no machine of the name ${hop.host}`,
        remedy: `Correct ssh of ${hop.label}, or see whether this machine's name server knows it: \`getent hosts ${hop.host}\`.`,
      };
    case "ECONNREFUSED":
      return {
        why: "the machine is there, but nothing listens on that port",
        remedy: `Start sshd there (\`systemctl start ssh\`), or correct the port of ${hop.label}.`,
      };
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return {
        why: "the network has no way to it",
        remedy: "See whether the machine is on and this one has a route to it (VPN, firewall).",
      };
    case "ETIMEDOUT":
    case "ABORT_ERR":
      return {
        why: "it does not answer",
        remedy:
          "See whether the machine is on, and whether a firewall drops what is sent to that port.",
      };
    default:
      break;
  }
  if (isTimeout(cause)) {
    return {
      why: "it does not answer in time",
      remedy:
        "See whether the machine is on, and whether a firewall drops what is sent to that port.",
    };
  }
  if (/before handshake|ECONNRESET|closed the connection|broke/.test(textOf(cause))) {
    return {
      why: "it closes the connection before it says who it is",
      remedy: `See what listens there (\`nc ${hop.host} ${hop.port}\` should print SSH-2.0-…), and sshd's MaxStartups and log.`,
    };
  }
  return {
    why: textOf(cause),
    remedy: `Run \`${sshCommandOf(hop)} true\`; sshd's log on that machine says more.`,
  };
}

function isTimeout(error: unknown): boolean {
  return fieldOf(error, "name") === "TimeoutError";
}

function codeOf(error: unknown): string | undefined {
  const code = fieldOf(error, "code");
  return typeof code === "string" ? code : undefined;
}

/** Of an error, whoever made it. */
export function fieldOf(error: unknown, name: string): unknown {
  return typeof error === "object" && error !== null ? Reflect.get(error, name) : undefined;
}
