import { Command, InvalidArgumentError } from "commander";
import type { Interrupts } from "./interrupts.ts";
import type { ServeFlags } from "./run-service.ts";

/** `berth serve`: takes jobs from GitHub until it is told to stop. */
export function serveCommand(interrupts: Interrupts): Command {
  return new Command("serve")
    .description("Run GitHub's jobs on your hosts: hear of them, run them, report back.")
    .option(
      "-c, --config <file>",
      "the configuration; else berth.yml here, the user's, the machine's",
    )
    .option(
      "--drain-timeout <seconds>",
      "when told to stop, wait this long for jobs that run; they are left running after that",
      readSeconds,
      0,
    )
    .addHelpText(
      "after",
      `
It says "listening on http://HOST:PORT" once it takes jobs; GitHub posts to /webhooks/github there.
berth jobs ls, berth jobs why and berth host ls ask it how things are.

SIGTERM, Ctrl-C  no new job is started; jobs that run go on in their containers, and the next
                 berth serve comes back to them. A second one ends it at once.
SIGHUP           reads the configuration anew: profiles, policy, limits, webhook secrets. A file
                 with problems is told, and the old one stays.

Exit code: 0 told to stop, 1 the store or the address cannot be used, 2 the configuration or the
App's key is wrong, 3 no host can run jobs.

Example:
  berth validate -c berth.yml --online && berth serve -c berth.yml`,
    )
    .action(async (flags: ServeFlags, command: Command) => {
      const isAsked = command.getOptionValueSource("logLevel") === "cli";
      const { logLevel, ...others } = flags;
      // Loaded for this command alone: the others start without it.
      const { runService } = await import("./run-service.ts");
      // What still runs is the next process's: nothing of it may go on in this one.
      process.exit(await runService({ ...others, ...(isAsked && { logLevel }) }, interrupts));
    });
}

function readSeconds(text: string): number {
  const seconds = Number(text);
  if (Number.isFinite(seconds) && seconds >= 0) return seconds;
  throw new InvalidArgumentError("It must be a number of seconds from 0.");
}
