import { Command } from "commander";
import { removeHost } from "../config/edit-hosts.ts";
import { editConfig } from "./edit-config.ts";

/** `berth host rm NAME`: takes a machine out of `berth.yml`; nothing changes on the machine itself. */
export function hostRemoveCommand(): Command {
  return new Command("rm")
    .description("Take a machine out of berth.yml. Nothing changes on the machine.")
    .argument("<name>", "a host of the configuration")
    .option("-c, --config <file>", "the configuration; else as berth validate finds it")
    .addHelpText("after", "\nExample:\n  berth host drain gpu-1 && berth host rm gpu-1")
    .action((name: string, flags: { readonly config?: string }) => {
      const file = editConfig(flags.config, (text = "") => removeHost(text, name));
      process.stdout.write(
        `${name} is out of ${file}. A service that runs lets go of it when it starts anew.\n`,
      );
    });
}
