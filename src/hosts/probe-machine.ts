import { randomBytes } from "node:crypto";
import type { ConnectEngineOptions } from "../containers/connect-engine.ts";
import type { EngineFacts, HostFacts, Warning } from "./host-facts.ts";
import { probeEngines } from "./probe-engines.ts";
import { readGpus } from "./probe-gpus.ts";
import { probeScript } from "./probe-script.ts";
import { readSections, type Sections, textOf } from "./probe-sections.ts";
import { readSystem } from "./probe-system.ts";
import { warnOfEscapes } from "./probe-warnings.ts";
import { runProbeScript } from "./run-probe-script.ts";

export type ProbeOptions = {
  readonly connect: ConnectEngineOptions;
  readonly signal: AbortSignal;
  /** How long one program of the machine may take, in seconds. */
  readonly limitS?: number;
  /** Stands before /sys, /proc and /dev where hardware is looked for. */
  readonly root?: string;
};

/** Looks at this machine: system, engines, GPUs, and what should be put right. Changes nothing; what it cannot find out is `null`. */
export async function probeMachine({
  connect,
  signal,
  limitS = 10,
  root = "",
}: ProbeOptions): Promise<HostFacts> {
  const nonce = `berth-${randomBytes(12).toString("hex")}`;
  const script = probeScript(nonce, { root, limitS, paths: [connect.stateDir] });
  const output = await runProbeScript(script, {
    env: connect.env,
    lastLine: `${nonce} done`,
    // For a program that not even a kill ends.
    timeoutMs: (2 * limitS + 10) * 1000,
    signal,
  });
  const sections = readSections(output, nonce);
  const engines = await probeEngines(connect, { sockets: textOf(sections, "sockets"), signal });
  return readFacts(sections, engines);
}

/** What the script's output and the engines come to. */
export function readFacts(sections: Sections, engines: readonly EngineFacts[]): HostFacts {
  const system = readSystem(sections);
  const runc = /^runc version (\S+)/m.exec(textOf(sections, "runc"))?.[1] ?? null;
  const nvidiaToolkit =
    /^(?:cli-version:|.* version) v?(\d\S*)/m.exec(textOf(sections, "toolkit"))?.[1] ?? null;
  const inUse = engines.flatMap((engine) => engine.runc ?? []);
  return {
    ...system,
    engines,
    runc,
    nvidiaToolkit,
    gpus: readGpus(sections, { engines, programs: system.programs }),
    warnings: [
      ...warnOfEscapes({ runc: inUse.length > 0 || runc === null ? inUse : [runc], nvidiaToolkit }),
      ...engines.flatMap(warnOfLimits),
      ...warnOfPodman(engines, sections),
    ],
  };
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
