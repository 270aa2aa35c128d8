import { readFile } from "node:fs/promises";
import { BerthError } from "../../runner/errors.ts";
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
 *
 * @throws {BerthError} `ENGINE_NOT_FOUND` where Berth cannot set up an engine, with what to do about it.
 */
export async function planEngine(
  folder: EngineFolder,
  { isAnswering }: { isAnswering: IsAnswering },
): Promise<SetupStep[]> {
  const obstacle = await whyNot();
  if (obstacle) {
    throw new BerthError("ENGINE_NOT_FOUND", {
      message: `No container engine answers here, and Berth cannot set one up: ${obstacle}.`,
      remedy: "Install Docker and start it, or set DOCKER_HOST to an engine that you may use.",
    });
  }
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

async function whyNot(): Promise<string | undefined> {
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
