import { BerthError, type ErrorCode } from "../../runner/errors.ts";

type Explanation = {
  readonly code: ErrorCode;
  readonly pattern: RegExp;
  message(match: RegExpExecArray): string;
  readonly remedy: string;
};

/**
 * What the engine's refusals mean. The API gives one status for all of them, so its words are all there is to go by; those of
 * Docker 20.10 to 29 and of runc and crun.
 */
const EXPLANATIONS: readonly Explanation[] = [
  {
    code: "ENGINE_REFUSED",
    pattern: /unable to apply caps|error (?:setting|applying|adding).*capabilit/i,
    message: () => "The engine may not give a container the capabilities that were asked for.",
    remedy:
      "Take --privileged or --cap-add out of the container's options, or use an engine whose own capabilities are not limited.",
  },
  {
    code: "ENGINE_REFUSED",
    pattern: /error setting rlimit|setrlimit|can't get final child's PID from pipe/i,
    message: () => "The engine may not raise a limit as high as was asked for.",
    remedy:
      "Lower --ulimit or --oom-score-adj in the container's options to what the engine itself has.",
  },
  {
    code: "ENGINE_REFUSED",
    pattern:
      /could not select device driver|nvidia-container|unknown or invalid runtime name: nvidia/i,
    message: () => "The engine has no driver for the GPUs that were asked for.",
    remedy: "Install the NVIDIA container toolkit on the engine's machine, or take --gpus out.",
  },
  {
    code: "ENGINE_REFUSED",
    pattern: /unknown(?: or invalid)? runtime (?:specified|name:?) ?(\S+)/i,
    message: ([, name]) => `The engine has no runtime named ${name}.`,
    remedy: "Use a runtime that `docker info` lists, or take --runtime out.",
  },
  {
    code: "ENGINE_REFUSED",
    pattern: /port is already allocated|address already in use/i,
    message: () => "A port of the host that the container publishes is taken.",
    remedy: "Leave the host's part of the port out, and a free one is chosen.",
  },
  {
    code: "ENGINE_REFUSED",
    pattern: /cannot expose privileged port (\d+)/i,
    message: ([, port]) =>
      `This engine runs without root and may not open port ${port} of the host (below 1024).`,
    remedy:
      "Publish it on a port from 1024 on, or leave the host's part of the port out, and a free one is chosen.",
  },
  {
    code: "ENGINE_REFUSED",
    pattern:
      /lchown [^:]*: invalid argument|unable to setup user: .*invalid argument|unmapped (?:user|group)/i,
    message: () =>
      "This engine runs without root and has no such user or group: its containers have the 65,536 ids or so that /etc/subuid and /etc/subgid give its owner.",
    remedy:
      "Use a smaller number for --user, widen both ranges on the engine's machine, or run the job on an engine that runs as root.",
  },
  {
    code: "ENGINE_REFUSED",
    pattern: /non-overlapping IPv4 address pool|all predefined address pools/i,
    message: () => "The engine has no address range left for one more network.",
    remedy: "Run `docker network prune`, or widen default-address-pools of the engine.",
  },
  {
    code: "DISK_FULL",
    pattern: /no space left on device|disk quota exceeded/i,
    message: () => "The engine's disk is full.",
    remedy:
      "Free some space: `docker system df` shows what takes it, `docker system prune` frees it.",
  },
  {
    code: "CONTAINER_OPTION",
    pattern: /bind source path does not exist: (\S+)/i,
    message: ([, path]) => `The host path ${path} of a volume does not exist.`,
    remedy:
      "Create it on the engine's machine, or correct the volume; Berth never creates host paths.",
  },
  {
    code: "CONTAINER_OPTION",
    pattern: /device information while adding custom device "?([^":]+)"?/i,
    message: ([, device]) => `The host has no device ${device}.`,
    remedy: "Correct --device, or run the job on a host that has it.",
  },
  {
    code: "CONTAINER_OPTION",
    pattern: /network (\S+) not found/i,
    message: ([, name]) => `The engine has no network named ${name}.`,
    remedy: "Create it with `docker network create`, or correct --network.",
  },
  {
    code: "CONTAINER_OPTION",
    pattern: /container name "?\/?([^" ]+)"? is already in use/i,
    message: ([, name]) => `A container named ${name} exists already.`,
    remedy: "Take --name out: two jobs can never share a name.",
  },
  {
    code: "CONTAINER_OPTION",
    pattern: /duplicate mount point: (\S+)/i,
    message: ([, path]) => `Two volumes want the same place ${path} in the container.`,
    remedy: "Keep one of them; /__w, /__e and /github are Berth's own.",
  },
  {
    code: "IMAGE_UNUSABLE",
    pattern:
      /exec format error|image operating system|does not match the (?:specified|detected|expected) .*platform/i,
    message: () => "The image is made for another kind of processor or system than the engine's.",
    remedy: "Use an image for the engine's platform, or name one with --platform.",
  },
  {
    code: "IMAGE_UNUSABLE",
    pattern:
      /exec: \\?"(\/bin\/sh)\\?"|"?\/bin\/sh"?: (?:no such file|stat)|stat \/bin\/sh|executable file .*\/bin\/sh/i,
    message: () => "The image has no /bin/sh, so no step can be run in it.",
    remedy: 'Use an image with a shell; images made from scratch or "distroless" ones have none.',
  },
  {
    code: "IMAGE_UNUSABLE",
    pattern: /unable to find (user|group) ([^:]+):/i,
    message: ([, kind, name]) => `The image has no ${kind} named ${name}.`,
    remedy: "Use a name from the image's /etc/passwd, or a number.",
  },
];

/**
 * Puts words to what the engine (or the way to it) said. A `BerthError` passes through.
 *
 * @param doing What was tried, as in "could not …".
 */
export function engineError(cause: unknown, doing: string): BerthError {
  if (cause instanceof BerthError) return cause;
  const said = reasonOf(cause);
  for (const { code, pattern, message, remedy } of EXPLANATIONS) {
    const match = pattern.exec(said);
    if (match !== null) {
      return new BerthError(code, { message: `${message(match)} It said: ${said}`, remedy, cause });
    }
  }
  if (statusOf(cause) === undefined) {
    return new BerthError("ENGINE_LOST", {
      message: `The container engine did not answer: could not ${doing} (${said}).`,
      remedy: "See whether the engine still runs (`docker version`), then run the job again.",
      cause,
    });
  }
  return new BerthError("ENGINE_REFUSED", {
    message: `The container engine refused: could not ${doing}. It said: ${said}`,
    remedy: "Correct the container's settings, or run the job on an engine that allows them.",
    cause,
  });
}

/** The HTTP status of the engine's answer; `undefined` when there was none. */
export function statusOf(error: unknown): number | undefined {
  const status = fieldOf(error, "statusCode");
  return typeof status === "number" ? status : undefined;
}

/** The system's code, such as `ECONNREFUSED`, of an answer that never came. */
export function systemCodeOf(error: unknown): string | undefined {
  const code = fieldOf(error, "code");
  return typeof code === "string" ? code : undefined;
}

/** The engine's own words, without what dockerode puts around them. */
export function reasonOf(error: unknown): string {
  const said = fieldOf(fieldOf(error, "json"), "message");
  if (typeof said === "string") return said.trim();
  const text = String(fieldOf(error, "message") || error);
  return text.replace(/^\(HTTP code \d+\) [^-]* - /, "").trim();
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return name in value ? Reflect.get(value, name) : undefined;
}
