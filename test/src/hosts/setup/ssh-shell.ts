import { quote } from "../../../../runner/quote.ts";
import { localShell, type MachineShell } from "../../../../src/hosts/machine-shell.ts";
import type { HostUser } from "../../../host-container.ts";
import type { HostMachine } from "../../../host-machines.ts";

/** A machine's shell through the `ssh` of this one. */
export function sshShell(machine: HostMachine, user: HostUser): MachineShell {
  const { identityFile, address } = machine;
  const trust = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR";
  const ssh = `ssh -i ${identityFile} -o IdentitiesOnly=yes -o BatchMode=yes ${trust} ${user}@${address}`;
  const here = localShell({ PATH: process.env.PATH, HOME: process.env.HOME });
  return {
    run: (script, options) => here.run(`exec ${ssh} ${quote(`sh -c ${quote(script)}`)}`, options),
  };
}
