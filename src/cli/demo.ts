import { Command, Option } from "commander";
import type { LogLevel } from "../log.ts";
import { demoReport, hasSucceeded } from "./demo/demo-report.ts";
import { storyTeller } from "./demo/demo-story.ts";
import { EXAMPLE, EXAMPLE_COMMIT, NEEDS_CONTAINERS } from "./demo/example-repository.ts";
import type { Demo } from "./demo/open-demo.ts";
import {
  type DemoFlags,
  type DemoIo,
  type ReadyMachine,
  readyMachine,
} from "./demo/ready-machine.ts";
import { stayText } from "./demo/stay-text.ts";
import { type DemoWatch, watchDemo, watchWhile } from "./demo/watch-demo.ts";
import { INTERRUPTED, type Interrupts } from "./interrupts.ts";
import { createStyle, wantsColour } from "./view/style.ts";

type DemoOptions = {
  readonly io: DemoIo;
  readonly interrupts: Interrupts;
  readonly logLevel: LogLevel;
};

/** Much longer than anything in the example takes: whoever waits in vain is told how far it came. */
const PATIENCE_MS = 180_000;
/** How long jobs may take to end once they are cancelled. */
const CANCEL_MS = 15_000;
const QUIET_MS = 300;

/** `berth demo`: the whole way of a job, from a push to its check, on this machine alone; nothing to sign up for. */
export function demoCommand(interrupts: Interrupts): Command {
  return new Command("demo")
    .description("Make this machine ready, push to a small GitHub on it, and show what follows.")
    .option("--stay", "stay when all is shown, for pushes of yours, until Ctrl-C")
    .addOption(
      new Option("--backend <backend>", "where jobs run (default: docker, else local)").choices([
        "docker",
        "local",
      ]),
    )
    .option("--docker <endpoint>", "the engine to use, as in DOCKER_HOST")
    .addHelpText("after", "\nExample:\n  berth demo")
    .action(async (flags: DemoFlags, command: Command) => {
      const { logLevel = "warn" } = command.optsWithGlobals<{ logLevel?: LogLevel }>();
      const { stdout, stderr, env } = process;
      process.exitCode = await demo(flags, { io: { stdout, stderr, env }, interrupts, logLevel });
    });
}

/** Returns the exit code. */
async function demo(flags: DemoFlags, options: DemoOptions): Promise<number> {
  const begin = performance.now();
  const { io, interrupts } = options;
  const machine = await readyMachine(flags, { io, signal: interrupts.first });
  const hasSucceeded = await play(machine, flags, options);
  if (interrupts.first.aborted) return INTERRUPTED;

  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  const verdict = hasSucceeded ? "success" : "failure";
  const left = machine ? "" : `Left out, for want of an engine: ${NEEDS_CONTAINERS}\n`;
  io.stdout.write(`\n${left}── Demo: ${verdict} after ${seconds} s; all that it made is gone.\n`);
  return hasSucceeded ? 0 : 1;
}

/** Everything between the first thing that is started and the last that is removed; hands back whether all checks are green. */
async function play(
  machine: ReadyMachine | undefined,
  flags: DemoFlags,
  { io, interrupts, logLevel }: DemoOptions,
): Promise<boolean> {
  const { first, second } = interrupts;
  const style = createStyle(wantsColour(io.env, io.stdout));
  const print = (text: string) => void io.stdout.write(text);

  // The service's parts are loaded for this command and berth serve alone.
  const { openDemo } = await import("./demo/open-demo.ts");
  await using demo = await openDemo(machine, { io, logLevel });
  print(opening(demo));
  const sha = await demo.hub.commit(EXAMPLE, EXAMPLE_COMMIT);
  print(`octocat pushes ${sha.slice(0, 7)} to main: ${EXAMPLE_COMMIT.message}\n\n`);
  const watch = watchDemo(demo, storyTeller(print, style));
  await watchWhile(watch, () => !watch.isOver() && watch.quietForMs() < PATIENCE_MS, first);
  if (!first.aborted) {
    await demo.hub.settled();
    await watch.look();
    print(demoReport(demo.hub, watch.jobs(), style));
  }
  if (!first.aborted && flags.stay) {
    print(stayText(demo));
    await watchWhile(watch, () => true, first);
  }
  if (first.aborted) print("\nStops: cancels what runs, and removes everything.\n");
  if (first.aborted || !watch.isOver()) await cancelJobs(demo, watch, second);
  return hasSucceeded(demo.hub);
}

function opening({ hub, service, host }: Demo): string {
  return `GitHub: a small one at ${hub.url} with the repository ${EXAMPLE}, where Berth is installed as an App
Berth:  hears of events at ${service.url}/webhooks/github; its host "${host.name}", this machine, takes ${host.slots} jobs at once

`;
}

/** As a person would, who cancels the runs on GitHub; their jobs have a while to end, or until `hurry`. Those that have not then lose their place. */
async function cancelJobs(
  { hub, service, removeRemains }: Demo,
  watch: DemoWatch,
  hurry: AbortSignal,
): Promise<void> {
  service.drain();
  for (const run of hub.runs()) {
    if (run.status !== "completed") hub.cancelRun(run.id);
  }
  // What the service has only just heard of shows itself within that time.
  const isOver = () => watch.isOver() && watch.quietForMs() > QUIET_MS;
  const until = performance.now() + CANCEL_MS;
  await watchWhile(watch, () => !isOver() && performance.now() < until, hurry);

  while (!watch.isOver() && performance.now() < until + CANCEL_MS) {
    await removeRemains();
    await watch.look();
  }
}
