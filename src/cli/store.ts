import { Command } from "commander";
import { backUpStore } from "../store/back-up-store.ts";
import { storeOfConfig } from "./store-of-config.ts";

type Flags = { readonly config?: string; readonly force?: true; readonly json?: true };

/** `berth store backup`: what the service remembers, as one file. */
export function storeCommand(_signal: AbortSignal): Command {
  const command = new Command("store")
    .description("What the service remembers.")
    .addHelpText("after", "\nExample:\n  berth store backup berth-backup.db");
  command
    .command("backup")
    .description("Copy the database to a file, also while the service runs. Logs are not in it.")
    .argument("<file>", "the file to write; readable by you only")
    .option("-c, --config <file>", "the service's configuration")
    .option("--force", "overwrite the file")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  berth store backup berth-backup.db")
    .action(async (file: string, flags: Flags) => {
      const { folder } = storeOfConfig(flags.config);
      const { sizeBytes } = await backUpStore(folder, file, { overwrite: flags.force === true });
      const text = `Wrote ${file}, ${sizeBytes} bytes.\n`;
      process.stdout.write(flags.json ? `${JSON.stringify({ file, sizeBytes })}\n` : text);
    });
  return command;
}
