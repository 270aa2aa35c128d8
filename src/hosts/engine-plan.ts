import { readFile } from "node:fs/promises";
import { mountControlGroups } from "./control-groups.ts";
import { installPackages } from "./debian-packages.ts";
import type { EngineFolder } from "./engine-folder.ts";
import { findProgram } from "./find-program.ts";
import { type IsAnswering, startEngine } from "./own-engine.ts";
import { choosePacketFilter } from "./packet-filter.ts";
import type { SetupStep } from "./setup-step.ts";

/**
 * What a machine without an engine needs to get one of Berth's own. Nothing is asked of a machine on which an engine
 * answers already: do not make this plan there.
 */
export function planEngine(folder: EngineFolder, isAnswering: IsAnswering): SetupStep[] {
  return [
    installPackages("They bring the container engine and what it calls.", [
      { name: "docker.io", program: "dockerd" },
      { name: "iptables", program: "iptables" },
    ]),
    mountControlGroups(),
    choosePacketFilter(folder),
    {
      name: "Start a container engine",
      why: `Jobs run in its containers. It keeps all it has below ${folder.path}.`,
      commands: [`dockerd --data-root ${folder.data} -H unix://${folder.socket} …`],
      isDone: (signal) => isAnswering(folder.socket, signal),
      apply: ({ signal }) => startEngine(folder, { isAnswering, signal }),
    },
  ];
}

/** Why this machine cannot be given an engine; `undefined` when it can. */
export async function whyNoEngine(): Promise<string | undefined> {
  if (process.platform !== "linux") return `that is for Linux, and this is ${process.platform}`;
  if (process.getuid?.() !== 0) return "that takes root";
  if (await findProgram("dockerd")) return undefined;
  if (await findProgram("apt-get")) return undefined;
  return `it installs one with apt-get, and this is ${await systemName()}`;
}

async function systemName(): Promise<string> {
  const release = await readFile("/etc/os-release", "utf8").catch(() => "");
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(release)?.[1] ?? "an unknown system";
}
