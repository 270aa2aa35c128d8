import { mkdir, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { BerthError } from "../../runner/errors.ts";
import type { EngineFolder } from "./engine-folder.ts";
import { findProgram } from "./find-program.ts";
import { runCommand } from "./run-command.ts";
import type { SetupStep } from "./setup-step.ts";

/**
 * dockerd calls `iptables`, which is Debian's nftables variant; a kernel without nftables needs the legacy one. The
 * machine's choice is left alone: only our dockerd finds another program under that name.
 */
export function choosePacketFilter(folder: EngineFolder): SetupStep {
  const ours = join(folder.programs, "iptables");
  return {
    name: "Find an iptables that works",
    why: "Containers reach the network through the packet filter.",
    commands: [`ln -s $(command -v iptables-legacy) ${ours}`],
    async isDone(signal) {
      return (await works(ours, signal)) || (await works(await findProgram("iptables"), signal));
    },
    async apply({ signal }) {
      for (const suffix of ["-legacy", "-nft"]) {
        const program = await findProgram(`iptables${suffix}`);
        if (!(await works(program, signal)) || program === undefined) continue;
        await mkdir(folder.programs, { recursive: true });
        await rm(ours, { force: true });
        await symlink(program, ours);
        return;
      }
      throw new BerthError("SETUP_FAILED", {
        message: "Neither iptables-nft nor iptables-legacy works with this kernel.",
        remedy:
          'Run "iptables -t nat -L" as root to see why; a container needs the capability NET_ADMIN.',
      });
    },
  };
}

async function works(program: string | undefined, signal: AbortSignal): Promise<boolean> {
  if (program === undefined) return false;
  return runCommand([program, "-w", "-t", "nat", "-L", "-n"], { signal }).then(
    () => true,
    () => false,
  );
}
