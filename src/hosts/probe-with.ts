import { randomBytes } from "node:crypto";
import { BerthError } from "../../runner/errors.ts";
import type { Engine } from "../containers/connect-engine.ts";
import { formatSize } from "../profiles/size.ts";
import type { DiskFacts, EngineFacts, GpuFacts, HostFacts, Warning } from "./host-facts.ts";
import type { MachineShell } from "./machine-shell.ts";
import { readClock } from "./probe-clock.ts";
import { type EngineKind, probeEngines } from "./probe-engines.ts";
import { readGpus } from "./probe-gpus.ts";
import { readDriverVersion } from "./probe-nvidia.ts";
import { probeScript } from "./probe-script.ts";
import { readSections, type Sections, textOf } from "./probe-sections.ts";
import { readSystem } from "./probe-system.ts";
import { warnOfClock, warnOfEscapes } from "./probe-warnings.ts";
import { type Heard, runProbeScript } from "./run-probe-script.ts";

export type ProbeTerms = {
  /**
   * Reaches an engine of the machine by its endpoint, `unix:///var/run/docker.sock`; where only root may open the socket, with sudo.
   *
   * @throws {BerthError} When none answers there.
   */
  connectEngine(endpoint: string, signal: AbortSignal): Promise<Engine>;
  /** Which engine jobs get where there are several; left out: the system's Docker, then rootless Docker, then Podman. */
  readonly preferred?: EngineKind | undefined;
  /** The engine that jobs get, whatever else there is. */
  readonly chosen?: string | undefined;
  /** More endpoints at which an engine may listen, and need not. */
  readonly maybe?: readonly string[];
  /** Folders whose disks are wanted, beside those of the system and of Docker. */
  readonly folders?: readonly string[];
  /** Whether `sudo -n` may be used, and `connectEngine` knows how. Default: it may. */
  readonly sudo?: boolean;
  readonly signal: AbortSignal;
  /** How long one program of the machine may take, in seconds. Default 10. */
  readonly limitS?: number;
  /** Stands before /sys, /proc and /dev where hardware is looked for. */
  readonly root?: string;
};

/**
 * Looks at a machine through its shell: system, engines, GPUs, and what should be put right. Changes nothing; what it cannot find out is `null`. A
 * program that hangs there costs what it would have said.
 *
 * @throws {BerthError} `HOST_UNREACHABLE`, and what else the shell throws; `HOST_UNUSABLE` when its login runs no POSIX shell.
 */
export async function probeWith(shell: MachineShell, terms: ProbeTerms): Promise<HostFacts> {
  const { signal, limitS = 10, root = "", folders = [] } = terms;
  const nonce = `berth-${randomBytes(12).toString("hex")}`;
  const heard = await runProbeScript(shell, probeScript(nonce, { root, limitS, paths: folders }), {
    lastLine: `${nonce} done`,
    clockLine: `${nonce} clock `,
    // For a program that not even a kill ends.
    timeoutMs: (2 * limitS + 10) * 1000,
    signal,
  });
  const sections = readSections(heard.output, nonce);
  if (!sections.has("system")) throw noPosixShell(heard);
  const { sudo, uid } = readSystem(sections);
  const engines = await probeEngines(textOf(sections, "sockets"), {
    ...terms,
    sudo: sudo && uid !== 0 && terms.sudo !== false,
  });
  return readFacts(sections, engines, readClock(heard.clock));
}

function noPosixShell({ output, complaint }: Heard): BerthError {
  const said = complaint || output.trim().slice(0, 500);
  const isWindows = /is not recognized|powershell|windows/i.test(said);
  return new BerthError("HOST_UNUSABLE", {
    message: `${isWindows ? "That machine runs Windows" : "The login there runs no POSIX shell"}: the probe got no answer.${said === "" ? "" : ` It said: ${said.split("\n")[0]}`}`,
    remedy: isWindows
      ? "Berth's jobs need Linux: name a Linux machine, or WSL with an SSH server of its own."
      : "Give the login a shell such as /bin/sh or bash (`chsh`), and no forced command.",
  });
}

/** What the script's output, the engines and the clock come to. */
export function readFacts(
  sections: Sections,
  engines: readonly EngineFacts[],
  clockSkewMs: number | null = null,
): HostFacts {
  const system = readSystem(sections);
  const toolkit = textOf(sections, "toolkit");
  const library = textOf(sections, "toolkit-library");
  const runc = /^runc version (\S+)/m.exec(textOf(sections, "runc"))?.[1] ?? null;
  const nvidiaToolkit = /^(?:cli-version:|.* version) v?(\d\S*)/m.exec(toolkit)?.[1] ?? null;
  const nvidiaLibrary = /^lib-version: v?(\d\S*)/m.exec(library)?.[1] ?? null;
  const inUse = engines.flatMap((engine) => engine.runc ?? []);
  const noCgroups = readNoCgroups(textOf(sections, "toolkit-config"));
  const deviceInterfaces = textOf(sections, "device-interface").split("\n").filter(Boolean);
  const gpus = readGpus(sections, {
    engines,
    programs: system.programs,
    deviceInterfaces,
    noCgroups,
  });
  return {
    ...system,
    clockSkewMs,
    engines,
    runc,
    nvidiaToolkit,
    nvidiaLibrary,
    nvidiaDriver:
      gpus.find(({ vendor, driver }) => vendor === "nvidia" && driver !== null)?.driver ??
      readDriverVersion(textOf(sections, "driver")) ??
      null,
    nvidiaNoCgroups: noCgroups,
    deviceInterfaces,
    gpus,
    warnings: [
      ...warnOfEscapes({
        runc: inUse.length > 0 || runc === null ? inUse : [runc],
        nvidiaToolkit,
        nvidiaLibrary,
      }),
      ...engines.flatMap(warnOfLimits),
      ...warnOfPodman(engines, sections),
      ...warnOfClock(clockSkewMs),
      ...gpus.flatMap(warnOfTroubles),
      ...warnOfSystem(system, engines),
      ...system.disks.flatMap(warnOfDisk),
    ],
  };
}

function readNoCgroups(config: string): boolean | null {
  if (config === "") return null;
  return /^\s*no-cgroups\s*=\s*true\b/m.test(config);
}

function warnOfLimits({ usable, enforcesLimits, endpoint, ...engine }: EngineFacts): Warning[] {
  if (!usable || enforcesLimits) return [];
  const why = engine.rootless
    ? `it runs rootless with control groups v${engine.cgroupVersion ?? "1"}`
    : "its machine lacks the control groups";
  return [
    {
      message: `The engine at ${endpoint} cannot enforce limits of memory and CPU: ${why}.`,
      remedy:
        "Use a system with control groups v2, and let systemd delegate them to the user; jobs with cpu= or mem= go elsewhere until then.",
    },
  ];
}

/** What an image of a job and its workspace take at the very least. */
const LEAST_DISK = 2 * 1024 ** 3;

function warnOfDisk({ path, freeBytes, totalBytes }: DiskFacts): Warning[] {
  if (freeBytes >= LEAST_DISK || totalBytes === 0) return [];
  return [
    {
      message: `The disk of ${path} is full: ${formatSize(freeBytes)} of ${formatSize(totalBytes)} are free, and jobs need ${formatSize(LEAST_DISK)} at least.`,
      remedy:
        "Remove what is not needed there: `docker system df` shows what images and volumes take, `docker image prune` removes images without a name.",
    },
  ];
}

/** macOS, and Docker that is there and does not run. */
function warnOfSystem(
  { os, programs, systemd }: Pick<HostFacts, "os" | "programs" | "systemd">,
  engines: readonly EngineFacts[],
): Warning[] {
  const isMac = os === "darwin";
  const hasDocker = engines.some(({ kind }) => kind === "docker");
  return [
    ...(isMac
      ? [
          {
            message:
              "That machine runs macOS: its containers run in a virtual machine of Linux, with the memory and CPUs of that.",
            remedy: "Give jobs with macos labels to GitHub; name a Linux machine for GPUs.",
          },
        ]
      : []),
    ...("dockerd" in programs && !hasDocker && !isMac
      ? [
          {
            message: "Docker is installed, and no daemon listens at a socket that Berth knows.",
            remedy: `Start it: \`${systemd ? "sudo systemctl enable --now docker" : "sudo service docker start"}\`; or name its socket in \`docker:\`.`,
          },
        ]
      : []),
  ];
}

function warnOfTroubles({ index, pciAddress, model, troubles }: GpuFacts): Warning[] {
  return troubles.map((trouble) => ({
    message: `GPU ${index ?? pciAddress ?? "?"} (${model}): ${trouble}`,
    remedy:
      "Reset it once nothing uses it (`sudo nvidia-smi --gpu-reset`); have it replaced when that comes again.",
  }));
}

function warnOfPodman(engines: readonly EngineFacts[], sections: Sections): Warning[] {
  const version = /version (\S+)/.exec(textOf(sections, "podman"))?.[1];
  if (version === undefined || engines.some(({ kind }) => kind === "podman")) return [];
  return [
    {
      message: `Podman ${version} is installed, but has no API socket, which is how Berth would use it.`,
      remedy: "Run `systemctl --user enable --now podman.socket`.",
    },
  ];
}
