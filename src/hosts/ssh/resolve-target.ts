import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, isAbsolute, join, matchesGlob } from "node:path";
import SshConfig from "ssh-config";
import { BerthError, textOf } from "../../../runner/errors.ts";
import type { SshEnvironment, SshTarget } from "./ssh-connection.ts";

/** Everything there is to know before connecting to one machine. */
export type Hop = {
  /** For errors: the host's name, or the bastion's address. */
  readonly label: string;
  readonly user: string;
  readonly host: string;
  readonly port: number;
  /** Under which `known_hosts` has it. */
  readonly keyName: string;
  readonly knownHostsFiles: readonly string[];
  /** The pinned fingerprint. */
  readonly hostKey: string | undefined;
  /** In the order in which they are tried. */
  readonly identities: readonly Identity[];
  /** The agent's socket. */
  readonly agent: string | undefined;
  readonly passphrase: string | undefined;
  readonly password: string | undefined;
};

export type Identity = {
  readonly file: string;
  readonly certificate: string | undefined;
  /** Named by someone: it has to be readable. */
  readonly isNamed: boolean;
};

/** `~/.ssh/config` of one name, keys in lower case. */
type Settings = { readonly [keyword: string]: string | readonly string[] | undefined };

const DEFAULT_IDENTITIES = ["id_ed25519", "id_ecdsa", "id_rsa"];
const MOST_JUMPS = 8;
const DEEPEST_INCLUDE = 8;

/**
 * The way to a machine: the bastions, in order, then itself. What `berth.yml` says wins over `~/.ssh/config`, which wins over `ssh`'s own defaults.
 *
 * @throws {BerthError} `CONFIG_INVALID` when the destination or `~/.ssh/config` cannot be read, or jumps lead in a circle.
 */
export function resolveTarget(target: SshTarget, environment: SshEnvironment): [...Hop[], Hop] {
  const text = configText(join(environment.home, ".ssh", "config"), environment.home);
  const systemText = configText("/etc/ssh/ssh_config", environment.home);
  const settingsOf = (host: string, user: string | undefined): Settings => {
    try {
      return SshConfig.parse(`${text}\nHost *\n${systemText}`).compute(
        { Host: host, ...(user !== undefined && { User: user }) },
        // `Match exec` would run commands of the file's.
        { ignoreCase: true, matchExec: false },
      );
    } catch (cause) {
      throw invalid(target, `~/.ssh/config cannot be read: ${textOf(cause)}`, { cause });
    }
  };

  const last = hopOf(target, target.name, settingsOf, environment);
  const jumps: Hop[] = [];
  let jump = target.jump ?? last.jump;
  if (jump === undefined && last.hasCommand) throw passesBy(target, target.name);
  while (jump !== undefined && jump !== "none") {
    const [first, ...others] = jump.split(",").map((one) => one.trim());
    // Named in order; a ProxyJump of the first leads to that one.
    const named = [first ?? "", ...others].map((destination) =>
      hopOf(bastion(target, destination), destination, settingsOf, environment),
    );
    jumps.unshift(...named.map(({ hop }) => hop));
    if (jumps.length > MOST_JUMPS) throw invalid(target, "its jumps lead in a circle");
    jump = named[0]?.jump;
    // The others are reached through the one before them.
    if (jump === undefined && named[0]?.hasCommand) throw passesBy(target, first ?? "");
  }
  return [...jumps, last.hop];
}

/** Going straight there would be another way than the one that was meant. */
function passesBy(target: SshTarget, machine: string): BerthError {
  const why = `~/.ssh/config has a ProxyCommand for ${machine}, which Berth does not run`;
  const remedy =
    "Name the machines on the way in `jump`, as ProxyJump has them; `jump: none` goes straight there.";
  return invalid(target, why, { remedy });
}

/** The identity goes along: a bastion often takes the same key. Its own key is not the one that is pinned. */
function bastion(
  { name, identityFile, certificateFile, passphrase }: SshTarget,
  destination: string,
) {
  return { name, destination, identityFile, certificateFile, passphrase };
}

function hopOf(
  target: SshTarget,
  label: string,
  settingsOf: (host: string, user: string | undefined) => Settings,
  { home, env }: SshEnvironment,
): { hop: Hop; jump: string | undefined; hasCommand: boolean } {
  const wanted = parseDestination(target);
  const settings = settingsOf(wanted.host, wanted.user);
  const user = wanted.user ?? oneOf(settings, "user") ?? env.USER ?? env.LOGNAME ?? "root";
  const host = (oneOf(settings, "hostname") ?? wanted.host)
    .replaceAll("%h", wanted.host)
    .replaceAll("%%", "%");
  const port = wanted.port ?? Number(oneOf(settings, "port") ?? 22);
  const expand = (path: string) =>
    expandPath(path, { home, user, host, port, original: wanted.host });
  const knownHosts = (keyword: string, fallback: string[]) => {
    const files = allOf(settings, keyword);
    return (files.length === 0 ? fallback : files).filter((one) => one !== "none").map(expand);
  };
  const agent = oneOf(settings, "identityagent") ?? "SSH_AUTH_SOCK";

  return {
    jump: oneOf(settings, "proxyjump"),
    hasCommand: !["none", undefined].includes(oneOf(settings, "proxycommand")),
    hop: {
      label,
      user,
      host,
      port,
      keyName: oneOf(settings, "hostkeyalias") ?? host,
      knownHostsFiles: [
        ...knownHosts("userknownhostsfile", ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"]),
        ...knownHosts("globalknownhostsfile", [
          "/etc/ssh/ssh_known_hosts",
          "/etc/ssh/ssh_known_hosts2",
        ]),
      ],
      hostKey: target.hostKey,
      identities: identitiesOf(target, settings, expand),
      agent: agentSocket(agent, expand, env),
      passphrase: target.passphrase,
      password: target.password,
    },
  };
}

function identitiesOf(
  { identityFile, certificateFile }: SshTarget,
  settings: Settings,
  expand: (path: string) => string,
): Identity[] {
  const certificates = allOf(settings, "certificatefile").map(expand);
  const configured = allOf(settings, "identityfile")
    .filter((file) => file !== "none")
    .map(expand);
  const named = identityFile === undefined ? configured : [identityFile];
  if (named.length > 0) {
    return named.map((file, at) => ({
      file,
      certificate: certificateFile ?? certificates[at],
      isNamed: true,
    }));
  }
  return DEFAULT_IDENTITIES.map((name) => ({
    file: expand(`~/.ssh/${name}`),
    certificate: certificateFile ?? certificates[0],
    isNamed: false,
  }));
}

function agentSocket(
  agent: string,
  expand: (path: string) => string,
  env: SshEnvironment["env"],
): string | undefined {
  if (agent === "none") return undefined;
  if (agent === "SSH_AUTH_SOCK") return env.SSH_AUTH_SOCK || undefined;
  return agent.startsWith("$") ? env[agent.slice(1)] : expand(agent);
}

function parseDestination(target: SshTarget): {
  user: string | undefined;
  host: string;
  port: number | undefined;
} {
  const bare = target.destination.replace(/^ssh:\/\//, "").replace(/\/$/, "");
  const at = bare.lastIndexOf("@");
  const user = at === -1 ? undefined : bare.slice(0, at);
  const parts =
    /^(?:\[([^\]]+)\]|([^:]+|[0-9a-fA-F:]*:[0-9a-fA-F:]*:[0-9a-fA-F:.]*))(?::(\d+))?$/.exec(
      bare.slice(at + 1),
    );
  const host = parts?.[1] ?? parts?.[2];
  if (host === undefined || user === "") {
    throw invalid(target, `"${target.destination}" is not [user@]address[:port]`);
  }
  return { user, host, port: parts?.[3] === undefined ? undefined : Number(parts[3]) };
}

function oneOf(settings: Settings, keyword: string): string | undefined {
  const value = settings[keyword];
  return typeof value === "string" || value === undefined ? value : value[0];
}

function allOf(settings: Settings, keyword: string): string[] {
  const value = settings[keyword];
  if (value === undefined) return [];
  return typeof value === "string" ? [value] : [...value];
}

/** `~` and the `%` tokens that ssh_config(5) lists for files. */
function expandPath(
  path: string,
  to: { home: string; user: string; host: string; port: number; original: string },
): string {
  const tokens: { [letter: string]: string } = {
    "%": "%",
    d: to.home,
    h: to.host,
    n: to.original,
    p: String(to.port),
    r: to.user,
  };
  const filled = path
    .replace(/^~(?=\/|$)/, to.home)
    .replace(/%([%dhnpr])/g, (_, letter: string) => tokens[letter] ?? "");
  return isAbsolute(filled) ? filled : join(to.home, ".ssh", filled);
}

/** The file with what it includes in place, each piece within the section that named it. */
function configText(file: string, home: string, depth = 0): string {
  if (depth > DEEPEST_INCLUDE) return "";
  const text = readOrNothing(() => readFileSync(file, "utf8"), "");
  let section = "Host *";
  const lines: string[] = [];
  for (const line of text.split("\n")) {
    if (/^\s*(host|match)[\s=]/i.test(line)) section = line.trim();
    const included = /^\s*include[\s=]+(.+?)\s*$/i.exec(line)?.[1];
    if (included === undefined) {
      lines.push(line);
      continue;
    }
    for (const pattern of included.split(/\s+/)) {
      for (const path of filesMatching(pattern.replaceAll('"', ""), dirname(file), home)) {
        lines.push(configText(path, home, depth + 1), section);
      }
    }
  }
  return lines.join("\n");
}

/** What cannot be read is as if it were not there, as for `ssh`. */
function readOrNothing<T>(read: () => T, nothing: T): T {
  try {
    return read();
  } catch {
    return nothing;
  }
}

function filesMatching(pattern: string, folder: string, home: string): string[] {
  const path = pattern.replace(/^~(?=\/)/, home);
  const whole = isAbsolute(path) ? path : join(folder, path);
  if (!/[*?[]/.test(whole)) return [whole];
  return readOrNothing(() => readdirSync(dirname(whole)), [])
    .filter((name) => matchesGlob(name, basename(whole)))
    .sort()
    .map((name) => join(dirname(whole), name));
}

function invalid(
  target: SshTarget,
  why: string,
  {
    remedy = "Write it as `ssh: user@address:port`, or as a Host of ~/.ssh/config.",
    cause,
  }: { readonly remedy?: string; readonly cause?: unknown } = {},
): BerthError {
  const message = `Host ${target.name} cannot be reached over SSH: ${why}.`;
  return new BerthError("CONFIG_INVALID", { message, remedy, cause });
}
