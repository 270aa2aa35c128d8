import { homedir } from "node:os";
import { BerthError } from "../../runner/errors.ts";
import { findConfig } from "../config/find-config.ts";
import { configInvalid, type HostsConfig, readHostsConfig } from "../config/read-config.ts";
import type { ResolvedHost } from "../config/resolve-hosts.ts";
import type { HostAccess } from "../hosts/host-access.ts";
import { type OpenHostOptions, openHost } from "../hosts/open-host.ts";
import { hostTarget } from "./host-target.ts";

/**
 * The machines of the configuration; `undefined` where there is none and none was named.
 *
 * @throws {BerthError} `CONFIG_INVALID`
 */
export function readHosts(named: string | undefined): HostsConfig | undefined {
  const places = { cwd: process.cwd(), env: process.env, home: homedir() };
  let file: string;
  try {
    file = findConfig(named, places);
  } catch (error) {
    if (named === undefined) return undefined;
    throw error;
  }
  const read = readHostsConfig(file, places);
  if ("problems" in read) throw configInvalid(read.problems);
  return read.config;
}

/**
 * One machine of the configuration by its name, in any case.
 *
 * @throws {BerthError} `CONFIG_INVALID`, `USAGE` when there is none of that name.
 */
export function findHost(
  name: string,
  config: string | undefined,
): { readonly host: ResolvedHost; readonly config: HostsConfig } {
  const found = readHosts(config);
  const host = found?.hosts.find((one) => one.name.toLowerCase() === name.toLowerCase());
  if (found !== undefined && host !== undefined) return { host, config: found };
  const known = found?.hosts.map((one) => one.name).join(", ");
  throw new BerthError("USAGE", {
    message: known
      ? `There is no host ${name}; the hosts are ${known}.`
      : `There is no host ${name}, since there is no configuration with hosts.`,
    remedy: `\`berth host add ${name} user@address\` adds it.`,
  });
}

/** A way to one machine of the configuration. */
export async function openNamedHost(
  name: string,
  config: string | undefined,
  options: OpenHostOptions,
): Promise<HostAccess> {
  return await openHost(hostTarget(findHost(name, config).host), options);
}
