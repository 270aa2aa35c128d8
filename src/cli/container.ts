import { Command, InvalidArgumentError } from "commander";
import { BerthError } from "../../runner/errors.ts";
import { execInPod } from "../containers/pods/exec-in-pod.ts";
import { logIn } from "../containers/pods/log-in.ts";
import { podLogs } from "../containers/pods/pod-logs.ts";
import { removePod } from "../containers/pods/remove-pod.ts";
import { createCommand } from "./container-create.ts";
import { ownTerminal } from "./own-terminal.ts";
import { findOnePod, findPods, type HostFlags } from "./pod-hosts.ts";
import { readPublicKeys } from "./read-public-keys.ts";
import { alignedTable } from "./view/aligned-table.ts";
import { loginRows, podTable } from "./view/pod-report.ts";

/** `berth container`: containers that a person keeps on machines. */
export function containerCommand(signal: AbortSignal): Command {
  const command = new Command("container")
    .description("Containers that you keep on your machines, beside those of jobs.")
    .addHelpText("after", "\nExample:\n  berth container create debian:12 --setup-user")
    .addCommand(createCommand(signal));

  withHost(command.command("ls"))
    .description("List them, on all hosts or on --host.")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  berth container ls --host gpu-1")
    .action((flags: HostFlags & { json?: true }) => list(flags, signal));

  withHost(command.command("logs"))
    .description("Print what one printed.")
    .argument("<id>", "its name, or the beginning of its id")
    .option("-f, --follow", "until it ends")
    .option("--tail <lines>", "only that many lines from the end", readCount)
    .addHelpText("after", "\nExample:\n  berth container logs -f --tail 100 pod-1a2b3c")
    .action((id: string, flags: HostFlags & { follow?: true; tail?: number }) =>
      logs(id, flags, signal),
    );

  withHost(command.command("exec"))
    .description("Run a command in one; its exit code is the command's.")
    .argument("<id>", "its name, or the beginning of its id")
    .argument("<command...>", "after --")
    .option("-i, --interactive", "hand on standard input")
    .option("-t, --tty", "with a terminal")
    .option("-u, --user <user>", "as whom; default as the container's command")
    .option("-w, --workdir <dir>", "where")
    .option("-e, --env <name=value>", "a variable", collect)
    .addHelpText("after", "\nExample:\n  berth container exec -it pod-1a2b3c -- bash")
    .action((id: string, words: string[], flags: ExecFlags) => exec(id, words, flags, signal));

  withHost(command.command("user"))
    .description("Make a user in one who can log in over SSH; start its SSH server again.")
    .argument("<id>", "its name, or the beginning of its id")
    .option("--user <name>", "the user's name", "pod-user")
    .option(
      "--ssh-key <file|text>",
      "public key of who may log in; default yours in ~/.ssh",
      collect,
    )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExample:\n  berth container user pod-1a2b3c --ssh-key ~/.ssh/id_ed25519.pub",
    )
    .action((id: string, flags: UserFlags) => makeUser(id, flags, signal));

  withHost(command.command("rm"))
    .description("Remove some, running or not, and what was made for them.")
    .argument("<id...>", "names, or beginnings of ids")
    .option("--volumes", "also volumes with names of yours that were made for them")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  berth container rm pod-1a2b3c")
    .action((ids: string[], flags: HostFlags & { volumes?: true; json?: true }) =>
      remove(ids, flags, signal),
    );
  return command;
}

function withHost(command: Command): Command {
  return command
    .option("--host <name>", "only on that host of the configuration")
    .option("--docker <endpoint>", "only on this engine, as in DOCKER_HOST")
    .option("-c, --config <file>", "the configuration; else as berth validate finds it");
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

function readCount(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It is not a number of lines.");
}

async function list(flags: HostFlags & { json?: true }, signal: AbortSignal): Promise<void> {
  await using found = await findPods(flags, signal);
  const pods = found.pods.map(({ pod }) => pod);
  const { silent } = found;
  process.stdout.write(
    flags.json ? asJson({ containers: pods, silent }) : podTable(pods, Date.now()),
  );
  for (const { host, why } of silent) {
    process.stderr.write(`berth: ${host} could not be asked: ${why}\n`);
  }
}

async function logs(
  id: string,
  { follow = false, tail, ...flags }: HostFlags & { follow?: boolean; tail?: number },
  signal: AbortSignal,
): Promise<void> {
  await using found = await findPods(flags, signal);
  const { pod } = await findOnePod(id, found);
  await podLogs(pod, { follow, tail, signal }, (data, stream) => process[stream].write(data));
}

type ExecFlags = HostFlags & {
  readonly interactive?: true;
  readonly tty?: true;
  readonly user?: string;
  readonly workdir?: string;
  readonly env?: string[];
};

async function exec(
  id: string,
  command: readonly string[],
  { interactive, tty, user, workdir, env = [], ...flags }: ExecFlags,
  signal: AbortSignal,
): Promise<void> {
  if (tty && interactive && !process.stdin.isTTY) {
    throw new BerthError("USAGE", {
      message: "-t needs a terminal, and standard input is none.",
      remedy: "Leave -t out.",
    });
  }
  await using found = await findPods(flags, signal);
  const { pod } = await findOnePod(id, found);
  const input = interactive ? process.stdin : undefined;
  const isRaw = tty && interactive && process.stdin.isTTY;
  if (isRaw) process.stdin.setRawMode(true);
  try {
    process.exitCode = await execInPod(pod, {
      ...{ command, user, workdir, env, input, signal },
      ...(tty && { terminal: ownTerminal() }),
      write: (data, stream) => process[stream].write(data),
    });
  } finally {
    if (isRaw) process.stdin.setRawMode(false);
    process.stdin.unref?.();
  }
}

type UserFlags = HostFlags & {
  readonly user: string;
  readonly sshKey?: string[];
  readonly json?: true;
};

async function makeUser(id: string, flags: UserFlags, signal: AbortSignal): Promise<void> {
  const { keys, identityFile } = await readPublicKeys(flags.sshKey);
  await using found = await findPods(flags, signal);
  const { pod, open } = await findOnePod(id, found);
  const { name: host, address } = open.host;
  const login = await logIn(pod.engine, pod.pod.id, {
    ...{ user: flags.user, keys, signal },
    place: { host, address, identityFile },
    progress: (line) => process.stderr.write(`${line}\n`),
  });
  const { id: containerId, name } = pod.pod;
  process.stdout.write(
    flags.json ? asJson({ id: containerId, name, host, ...login }) : alignedTable(loginRows(login)),
  );
  if (!login.userReady) process.exitCode = 1;
}

async function remove(
  ids: readonly string[],
  { volumes = false, json, ...flags }: HostFlags & { volumes?: boolean; json?: true },
  signal: AbortSignal,
): Promise<void> {
  await using found = await findPods(flags, signal);
  // All of them are known before the first goes.
  const pods = [];
  for (const id of ids) pods.push(await findOnePod(id, found));
  const removed = [];
  for (const { pod, open } of pods) {
    const { releaseClaims } = open.host;
    removed.push(
      await removePod(pod, {
        volumes,
        releaseClaims: async (podId) => await releaseClaims?.(podId, pod.engine),
      }),
    );
  }
  if (json) process.stdout.write(asJson({ removed }));
  for (const one of removed) {
    if (!json) process.stdout.write(`removed ${[one.name, ...one.removedVolumes].join(", ")}\n`);
    for (const volume of one.keptVolumes) {
      const how = volumes ? "another container uses it" : `docker volume rm ${volume} removes it`;
      process.stderr.write(`berth: the volume ${volume} stays: ${how}\n`);
    }
    for (const leak of one.leaks) process.stderr.write(`berth: could not remove ${leak}\n`);
  }
  if (removed.some(({ leaks }) => leaks.length > 0)) process.exitCode = 1;
}

function asJson(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
