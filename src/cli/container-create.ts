import { Command, Option } from "commander";
import { BerthError } from "../../runner/errors.ts";
import { createContainer } from "../containers/pods/create-container.ts";
import type { PodRequest } from "../containers/pods/pod-request.ts";
import { isAllowedPath } from "../policy/allowed.ts";
import { type HostFlags, openPodHost } from "./pod-hosts.ts";
import { readHosts } from "./read-hosts.ts";
import { readPublicKeys } from "./read-public-keys.ts";
import { podReport } from "./view/pod-report.ts";

type CreateFlags = HostFlags & {
  readonly image?: string;
  readonly name?: string;
  readonly entrypoint?: string;
  readonly env?: string[];
  readonly volume?: string[];
  readonly allowHostPath?: string[];
  readonly port?: string[];
  readonly memory?: string;
  readonly memorySwap?: string;
  readonly shmSize?: string;
  readonly cpus?: string;
  readonly cpuset?: string;
  readonly network?: string;
  readonly user?: string;
  readonly workdir?: string;
  readonly gpu?: string;
  readonly dind?: true;
  readonly init: boolean;
  readonly pull: "always" | "missing" | "never";
  readonly sudo: boolean;
  readonly setupUser?: string | true;
  readonly sshKey?: string[];
  readonly requireUser?: true;
  readonly json?: true;
};

const DEFAULT_USER = "pod-user";

/** `berth container create` */
export function createCommand(signal: AbortSignal): Command {
  return new Command("create")
    .description("Make and start a container. It stays until `berth container rm`.")
    .argument("[image]", "as in docker pull")
    .argument("[command...]", "in place of the image's own, after --")
    .option("--image <image>", "the image, where it is not the first argument")
    .option("--name <name>", "its name; default pod-ID")
    .option("--host <name>", "a host of the configuration; default this machine")
    .option("-e, --env <name=value>", "a variable; NAME alone takes yours", collect)
    .option(
      "-v, --volume <source:target[:ro]>",
      "a volume by name, or a folder of the host",
      collect,
    )
    .option(
      "--allow-host-path <dir>",
      "let --volume mount this folder and what is below it",
      collect,
    )
    .option(
      "-p, --port <[ip:]host:container[/udp]>",
      "publish a port; host port 0 or a taken one is a free one",
      collect,
    )
    .option("-m, --memory <size>", "most memory, like 16g")
    .option("--memory-swap <size>", "memory and swap together; -1 for no limit")
    .option("--shm-size <size>", "size of /dev/shm")
    .option("--cpus <number>", "most CPUs, like 1.5")
    .option("--cpuset <list>", "CPUs to run on, like 0-3,7")
    .option("--network <name>", "bridge, host, none, container:NAME or a network's name")
    .option("-u, --user <user>", "who its command runs as; default the image's")
    .option("-w, --workdir <dir>", "where its command starts; default the image's")
    .option("--entrypoint <program>", "in place of the image's own")
    .option("--gpu <wish>", "auto (one, if there is one), 2, a100 or a100:2")
    .option("--dind", "rights to run a container engine inside, and a volume for its data")
    .option("--no-init", "the image's command is process 1 itself")
    .addOption(
      new Option("--pull <when>", "pull the image")
        .choices(["always", "missing", "never"])
        .default("missing"),
    )
    .option(
      "--sudo",
      "where no rootless engine would do, take the one that runs as root (default)",
      true,
    )
    .option("--no-sudo", "a rootless engine or none")
    .addOption(
      new Option(
        "--setup <mode>",
        "what is missing on the host: leave it, say how, or install it",
      ).choices(["never", "plan", "auto"]),
    )
    .option(
      "--setup-user [name]",
      `make a user who can log in over SSH and mosh; default ${DEFAULT_USER}`,
    )
    .option(
      "--ssh-key <file|text>",
      "public key of who may log in; default yours in ~/.ssh",
      collect,
    )
    .option("--require-user", "fail, and leave nothing, where that user cannot log in")
    .option("--docker <endpoint>", "this machine's engine, as in DOCKER_HOST")
    .option("-c, --config <file>", "the configuration; else as berth validate finds it")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExample:\n  berth container create debian:12 -p 0:8080 -m 4g -- sleep infinity\n  berth container create pytorch:2 --host gpu-1 --gpu auto --setup-user pod-user",
    )
    .action(async (image: string | undefined, command: string[], flags: CreateFlags) => {
      await create(image, command, flags, signal);
    });
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

async function create(
  image: string | undefined,
  command: readonly string[],
  flags: CreateFlags,
  signal: AbortSignal,
): Promise<void> {
  const request = requestOf(image, command, flags);
  const { sshKey, requireUser, setupUser } = flags;
  if (setupUser === undefined && (sshKey !== undefined || requireUser !== undefined)) {
    throw new BerthError("USAGE", {
      message: `${sshKey === undefined ? "--require-user" : "--ssh-key"} is for a user, and none is asked for.`,
      remedy: "Add --setup-user.",
    });
  }
  const { keys, identityFile } =
    setupUser === undefined ? { keys: [], identityFile: undefined } : await readPublicKeys(sshKey);
  const folders = [
    ...(readHosts(flags.config)?.policy.hostPaths ?? []),
    ...(flags.allowHostPath ?? []),
  ];
  await using open = await openPodHost(flags);
  const answer = await createContainer(open.host, request, {
    allowsHostPath: (path) => isAllowedPath(path, folders),
    allowsSudo: flags.sudo,
    ...{ keys, identityFile, requiresUser: requireUser, signal },
    progress: (line) => process.stderr.write(`${line}\n`),
  });
  process.stdout.write(flags.json ? `${JSON.stringify(answer, null, 2)}\n` : podReport(answer));
  for (const warning of answer.warnings) process.stderr.write(`berth: ${warning}\n`);
}

function requestOf(
  first: string | undefined,
  rest: readonly string[],
  flags: CreateFlags,
): PodRequest {
  const image = flags.image ?? first;
  const words = flags.image === undefined || first === undefined ? rest : [first, ...rest];
  const { setupUser } = flags;
  if (image === undefined) throw imageMissing(setupUser);
  return {
    image,
    command: words.length > 0 ? words : undefined,
    name: flags.name,
    entrypoint: flags.entrypoint,
    env: (flags.env ?? []).map(withOwnValue),
    volumes: flags.volume,
    ports: flags.port,
    memory: flags.memory,
    memorySwap: flags.memorySwap,
    shm: flags.shmSize,
    cpus: flags.cpus,
    cpuset: flags.cpuset,
    network: flags.network,
    user: flags.user,
    workdir: flags.workdir,
    gpu: flags.gpu,
    dind: flags.dind,
    init: flags.init,
    pull: flags.pull,
    setupUser: setupUser === true ? DEFAULT_USER : setupUser,
  };
}

function withOwnValue(entry: string): string {
  const value = entry.includes("=") ? undefined : process.env[entry];
  return value === undefined ? entry : `${entry}=${value}`;
}

function imageMissing(setupUser: string | true | undefined): BerthError {
  const taken = typeof setupUser === "string";
  return new BerthError("USAGE", {
    message: "No image is named for the container.",
    remedy: taken
      ? `--setup-user took ${setupUser} as the user's name: name the image before it, or write --setup-user=${DEFAULT_USER}.`
      : "Name one: berth container create debian:12",
  });
}
