import { quote } from "../../../runner/quote.ts";
import { SSHD_CONFIG } from "./setup-user-script.ts";

/** Where a person logs in, and as whom. */
export type LoginPlace = {
  /** Name of the host, as Berth knows it. */
  readonly host: string;
  /** Where its ports are reached. */
  readonly address: string;
  readonly containerId: string;
  readonly user: string;
  readonly hostKey: string;
  readonly sshd: string;
  readonly identityFile?: string | undefined;
  /** The host's address that the port is bound to; `0.0.0.0` or empty is all. */
  readonly bindAddress?: string | undefined;
  /** `undefined`: none is published. */
  readonly port: number | undefined;
  readonly moshPorts: { readonly first: number; readonly last: number } | undefined;
  /** A command that runs the words after it in the container as root, with its standard streams; default `berth container exec -i`. */
  readonly enter?: string | undefined;
};

/**
 * The whole command, to be pasted into a POSIX shell. It takes the server's key from the command itself and no other: nothing is asked, nothing is written to
 * known_hosts, and a key that differs is refused. Needs OpenSSH 8.5 (2021) or later.
 */
export function sshCommand(login: LoginPlace): string {
  const { user, port } = login;
  if (port !== undefined)
    return words(["ssh", "-p", String(port), ...options(login), `${user}@${addressOf(login)}`]);
  return words([
    "ssh",
    ...options(login),
    "-o",
    `ProxyCommand=${proxyOf(login)}`,
    `${user}@${aliasOf(login)}`,
  ]);
}

/** `null` where no UDP port is published. */
export function moshCommand(login: LoginPlace): string | null {
  const { user, port, moshPorts } = login;
  if (port === undefined || moshPorts === undefined) return null;
  const ssh = words(["ssh", "-p", String(port), ...options(login)]);
  return words([
    "mosh",
    "--experimental-remote-ip=local",
    "-p",
    `${moshPorts.first}:${moshPorts.last}`,
    `--ssh=${ssh}`,
    `${user}@${addressOf(login)}`,
  ]);
}

function options(login: LoginPlace): string[] {
  const alias = aliasOf(login);
  const { identityFile } = login;
  return [
    ...(identityFile === undefined ? [] : ["-i", identityFile]),
    "-o",
    `HostKeyAlias=${alias}`,
    "-o",
    "UserKnownHostsFile=/dev/null",
    "-o",
    "StrictHostKeyChecking=yes",
    "-o",
    `KnownHostsCommand=/usr/bin/env echo ${alias} ${login.hostKey}`,
  ];
}

function aliasOf({ containerId }: LoginPlace): string {
  return `pod-${containerId.slice(0, 12)}`;
}

function addressOf({ address, bindAddress = "" }: LoginPlace): string {
  return ["", "0.0.0.0", "::"].includes(bindAddress) ? address : bindAddress;
}

function proxyOf({ containerId, sshd, enter = "berth container exec -i" }: LoginPlace): string {
  return `${enter} ${containerId.slice(0, 12)} -- ${sshd} -i -f ${SSHD_CONFIG}`;
}

function words(list: readonly string[]): string {
  return list.map(quote).join(" ");
}
