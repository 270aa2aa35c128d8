import { availableParallelism } from "node:os";
import { Command, Option } from "commander";
import { BerthError } from "../../runner/errors.ts";

/** The flags of `berth run` as they were typed; `docs/cli.md` explains them. */
export type RunFlags = {
  readonly job?: readonly string[];
  readonly event?: string;
  readonly eventFile?: string;
  readonly input?: readonly string[];
  readonly inputFile?: readonly string[];
  readonly secret?: readonly string[];
  readonly secretFile?: readonly string[];
  readonly var?: readonly string[];
  readonly varFile?: readonly string[];
  readonly env?: readonly string[];
  readonly envFile?: readonly string[];
  readonly matrix?: readonly string[];
  readonly image?: readonly string[];
  readonly actor?: string;
  readonly localAction?: readonly string[];
  readonly localActionFile?: readonly string[];
  readonly realCheckout?: true;
  readonly githubUrl?: string;
  readonly apiUrl?: string;
  readonly token?: string;
  readonly maxParallel: number;
  readonly backend: "docker" | "local";
  readonly docker?: string;
  readonly host?: string;
  readonly config?: string;
  readonly dind?: "rootless" | "capabilities" | "privileged";
  readonly keep?: true;
  readonly list?: true;
  readonly json?: true;
  readonly quiet?: true;
  readonly verbose?: true;
};

const EXAMPLES = `
Flags that take K=V, K:V, a file of such lines or a job may be repeated.

Examples:
  berth run                                        all workflows that a push starts
  berth run .github/workflows/ci.yml -j test       one job and what it needs
  berth run -e workflow_dispatch --input level=2   a manual start
  berth run --matrix node:20 --secret NPM_TOKEN    some legs; a secret from the environment
  berth run --list                                 what would run, in which order`;

/** `berth run` with its flags; `action` gets files and flags. */
export function runCommand(action: (files: string[], flags: RunFlags) => Promise<void>): Command {
  return new Command("run")
    .description("Run workflows of this repository here, every job in a fresh container.")
    .argument(
      "[files...]",
      "workflow files; without any, all of .github/workflows that the event starts",
    )
    .addOption(many("-j, --job <id>", "that job and what it needs"))
    .option("-e, --event <name>", "what happened (default: push, or the only event there is)")
    .option("--event-file <file>", "JSON payload; its fields replace those taken from git")
    .addOption(many("--input <k=v>", "an input of workflow_dispatch"))
    .addOption(many("--input-file <file>", "inputs, in dotenv syntax"))
    .addOption(many("--secret <k=v>", "a secret; K alone takes it from the environment"))
    .addOption(many("--secret-file <file>", "secrets, in dotenv syntax"))
    .addOption(many("--var <k=v>", "a configuration variable, for the vars context"))
    .addOption(many("--var-file <file>", "configuration variables, in dotenv syntax"))
    .addOption(many("--env <k=v>", "an environment variable, below those of the workflow"))
    .addOption(many("--env-file <file>", "environment variables, in dotenv syntax"))
    .addOption(many("--matrix <k:v>", "only matrix legs with that value"))
    .addOption(many("--image <label=image>", "the image for a label of runs-on; * for all"))
    .addOption(many("--local-action <ref=dir>", "take OWNER/REPO[/PATH]@REF from a folder"))
    .addOption(many("--local-action-file <file>", "such references, one a line"))
    .option(
      "--real-checkout",
      "let actions/checkout get this repository too (default: a copy of the working tree)",
    )
    .option("--actor <name>", "who started it (default: git's user.name)")
    .option("--github-url <url>", "address of GitHub (default: of the remote origin)")
    .option("--api-url <url>", "address of GitHub's API")
    .option(
      "--token <token>",
      "secrets.GITHUB_TOKEN, and for downloads (default: GITHUB_TOKEN of the environment)",
    )
    .addOption(
      new Option("--max-parallel <n>", "jobs at once")
        .default(availableParallelism(), "number of CPUs")
        .argParser(readCount),
    )
    .addOption(
      new Option("--backend <backend>", "containers, or this machine as it is (isolates nothing)")
        .choices(["docker", "local"])
        .default("docker"),
    )
    .option("--docker <endpoint>", "the engine to use, as in DOCKER_HOST")
    .addOption(
      new Option("--host <name>", "run on that host of berth.yml").conflicts(["docker", "backend"]),
    )
    .option("-c, --config <file>", "the configuration for --host; else as berth validate finds it")
    .addOption(
      new Option(
        "--dind <mode>",
        "what the Docker daemon of a job with the label dind may do on this machine",
      )
        .choices(["rootless", "capabilities", "privileged"])
        .default(undefined, "rootless"),
    )
    .option("--keep", "keep a failed job's container and say how to get in")
    .option("--list", "print jobs, matrix legs and order; run nothing")
    .option("--json", "one event a line on stdout, for programs")
    .addOption(
      new Option("-q, --quiet", "print failures and the summary only").conflicts("verbose"),
    )
    .option("-v, --verbose", "print everything")
    .addHelpText("after", EXAMPLES)
    .action(action);
}

function many(flags: string, description: string): Option {
  return new Option(flags, description).argParser(
    (value: string, before: readonly string[] | undefined) => [...(before ?? []), value],
  );
}

function readCount(text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new BerthError("USAGE", {
    message: `--max-parallel ${text} is not a number from 1.`,
    remedy: "Write --max-parallel 2 for two jobs at once.",
  });
}
