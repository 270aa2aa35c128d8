import { Command } from "commander";
import { prepareEngine, prepareImages } from "../hosts/prepare-machine.ts";
import { showSetup } from "./setup-progress.ts";
import { thisMachine } from "./this-machine.ts";

const EXAMPLE = "\nExample:\n  docker run --rm -it $(berth image build) bash";

/** `berth image build`: makes the job image and prints its name. */
export function imageCommand(signal: AbortSignal): Command {
  const command = new Command("image")
    .description("The image of jobs without `container:`.")
    .addHelpText("after", EXAMPLE);
  command
    .command("build")
    .description("Build it unless the engine has it, and print its name.")
    .option("--docker <endpoint>", "the engine to use, as in DOCKER_HOST")
    .addHelpText("after", EXAMPLE)
    .action(async (flags: { docker?: string }) => {
      using progress = showSetup(process.stderr);
      const options = { connect: thisMachine(flags), report: progress.report, signal };
      const { jobImage } = await prepareImages(await prepareEngine(options), [], options);
      process.stdout.write(`${jobImage}\n`);
    });
  return command;
}
