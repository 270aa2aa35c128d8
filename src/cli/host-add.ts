import { accessSync, constants } from "node:fs";
import { homedir } from "node:os";
import { resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import { Command } from "commander";
import { BerthError, textOf } from "../../runner/errors.ts";
import { addHost, type HostEntry } from "../config/edit-hosts.ts";
import { Host } from "../config/host.ts";
import { readHostKey } from "../hosts/ssh/read-host-key.ts";
import { editConfig } from "./edit-config.ts";
import { probeHost } from "./host-probe.ts";
import { findHost } from "./read-hosts.ts";
import { hostReport } from "./view/host-report.ts";

type Flags = {
  readonly config?: string;
  readonly json?: true;
  readonly identityFile?: string;
  readonly jump?: string;
  readonly acceptHostKey?: string;
};

/** `berth host add NAME ADDRESS`: writes a machine into `berth.yml` once its key is known, then looks at it. */
export function hostAddCommand(signal: AbortSignal): Command {
  return new Command("add")
    .description("Write a machine into berth.yml, and find out what it has.")
    .argument("<name>", "how jobs and commands call it, as in host=NAME")
    .argument(
      "<address>",
      "user@address:port, a Host of ~/.ssh/config, or an engine at unix:// or tcp://",
    )
    .option("--identity-file <file>", "private key to log in with; default as ssh has it")
    .option("--jump <address>", "machines to go through, as ProxyJump of ssh")
    .option("--accept-host-key <fingerprint>", "the machine's key, SHA256:…; else you are asked")
    .option(
      "-c, --config <file>",
      "the configuration; else as berth validate finds it, else ./berth.yml",
    )
    .option("--json", "print what was found out as one JSON object")
    .addHelpText(
      "after",
      "\nExample:\n  berth host add gpu-1 ubuntu@10.0.0.5 --identity-file ~/.ssh/id_ed25519",
    )
    .action(async (name: string, address: string, flags: Flags) => {
      const host = entryOf(name, address, flags);
      const known = host.ssh === undefined ? host : await withKey(host, flags, signal);
      const file = editConfig(flags.config, (text) => addHost(text, known), { creates: true });
      process.stderr.write(`${name} is in ${file} now.\n`);
      const facts = await probeHost(findHost(name, file).host, signal).catch((error: unknown) => {
        throw notProbed(error, name);
      });
      const place = host.ssh ?? host.docker;
      process.stdout.write(
        flags.json ? `${JSON.stringify(facts, null, 2)}\n` : hostReport(facts, place),
      );
    });
}

/** @throws {BerthError} `USAGE` */
function entryOf(name: string, address: string, { identityFile, jump }: Flags): HostEntry {
  const isEngine = /^(?:[a-z]+:\/\/|\/)/.test(address);
  // Paths in the file are taken from its folder, those of a command from where one is.
  const key = identityFile === undefined ? undefined : resolve(identityFile);
  if (key !== undefined) refuseUnreadable(key);
  const entry = {
    name,
    ...(isEngine ? { docker: address } : { ssh: address }),
    ...(key !== undefined && { identityFile: key }),
    ...(jump !== undefined && { jump }),
  };
  const checked = Host.safeParse(entry);
  if (checked.success) return entry;
  const [issue] = checked.error.issues;
  throw new BerthError("USAGE", {
    message: `${issue?.path[0] === "name" ? `The name "${name}"` : `"${address}"`} ${issue?.message ?? "is wrong"}`,
    remedy: "Example: berth host add gpu-1 ubuntu@10.0.0.5",
  });
}

function refuseUnreadable(file: string): void {
  try {
    accessSync(file, constants.R_OK);
  } catch (cause) {
    throw new BerthError("USAGE", {
      message: `The key ${file} cannot be read.`,
      remedy: "Name the private key's file; it must be readable by you.",
      cause,
    });
  }
}

/** With the key's fingerprint where `known_hosts` has it not, once somebody has said that it is the right one. */
async function withKey(host: HostEntry, flags: Flags, signal: AbortSignal): Promise<HostEntry> {
  const { name, ssh: destination = "", identityFile, jump } = host;
  const environment = { home: homedir(), env: process.env };
  const target = { name, destination, identityFile, jump };
  const key = await readHostKey(target, { environment, signal });
  const shown = `${name} (${destination}) shows the key ${key.type} ${key.fingerprint}`;
  const { acceptHostKey: accepted } = flags;
  if (accepted !== undefined && accepted.replace(/=+$/, "") !== key.fingerprint) {
    throw new BerthError("HOST_KEY_UNKNOWN", {
      message: `${shown}, and not ${accepted}.`,
      remedy: "Find out why before you go on: another machine may answer in its place.",
    });
  }
  process.stderr.write(`${shown}${key.known ? ", as known_hosts has it" : ""}.\n`);
  if (key.known) return host;
  if (accepted === undefined && !(await asksForYes(signal))) {
    throw new BerthError("HOST_KEY_UNKNOWN", {
      message: `Nobody has said that ${key.fingerprint} is the key of ${name}; nothing was written.`,
      remedy: `Compare it with what \`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub\` prints there, then add --accept-host-key ${key.fingerprint}`,
    });
  }
  return { ...host, hostKey: key.fingerprint };
}

/** No is what comes of a missing terminal, too. */
async function asksForYes(signal: AbortSignal): Promise<boolean> {
  const { stdin: input, stderr: output } = process;
  if (!input.isTTY) return false;
  const terminal = createInterface({ input, output });
  try {
    const answer = await terminal.question("Is that its key? [y/N] ", { signal });
    return /^y(?:es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}

function notProbed(error: unknown, name: string): BerthError {
  const { code, remedy } =
    error instanceof BerthError ? error : { code: "HOST_UNREACHABLE" as const, remedy: undefined };
  return new BerthError(code, {
    message: `${name} could not be looked at. ${textOf(error)}`,
    remedy: [remedy, `Then: berth host probe ${name}. Or take it out again: berth host rm ${name}`]
      .filter(Boolean)
      .join(" "),
    cause: error,
  });
}
