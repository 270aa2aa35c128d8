import { accessSync, constants, readFileSync, statSync } from "node:fs";
import type { Host, HostDefaults } from "./host.ts";
import type { PathProblem } from "./interpolate.ts";
import type { Network } from "./network.ts";
import { readSecretFile, resolvePath } from "./read-secret-file.ts";
import { whyUnreadable } from "./why-unreadable.ts";

const DEFAULTS = {
  slots: 1,
  sudo: true,
  setup: { mode: "plan", allow: ["docker", "rootless", "toolkit", "driver"] },
  images: [],
  keepFreeDisk: { bytes: 5 * 1024 ** 3 },
} as const;

type Filled = "slots" | "sudo" | "setup" | "images" | "keepFreeDisk";

/** A host as it is used: with its defaults, paths absolute, secrets read. */
export type ResolvedHost = Omit<
  Host,
  Filled | "identityFile" | "certificateFile" | "passphraseFile" | "passwordFile" | "tls"
> & {
  readonly identityFile?: string | undefined;
  readonly certificateFile?: string | undefined;
  readonly tls?: {
    readonly caFile?: string | undefined;
    readonly certFile: string;
    readonly keyFile: string;
  };
  readonly slots: number;
  readonly sudo: boolean;
  readonly setup: {
    readonly mode: "never" | "plan" | "auto";
    readonly allow: readonly ("docker" | "rootless" | "toolkit" | "driver")[];
  };
  readonly images: readonly string[];
  readonly keepFreeDisk: { readonly bytes: number };
  readonly passphrase?: string | undefined;
  readonly password?: string | undefined;
};

/** What machines need to reach the world outside, its secrets read. */
export type ResolvedNetwork = Omit<Network, "registries" | "caFile"> & {
  readonly registries: readonly {
    readonly host: string;
    readonly username?: string | undefined;
    readonly password?: string | undefined;
    readonly mirrors: readonly string[];
  }[];
  /** What `caFile` holds. */
  readonly ca?: string | undefined;
};

export type Reading = {
  /** Where relative paths start. */
  readonly folder: string;
  readonly problems: PathProblem[];
};

export function resolveHosts(
  hosts: readonly Host[],
  defaults: HostDefaults,
  reading: Reading,
): ResolvedHost[] {
  return hosts.map((written, index) => {
    const { passphraseFile, passwordFile, tls, ...host } = withDefaults(written, defaults);
    const at = { ...reading, name: host.name, path: ["hosts", index] };
    return {
      ...host,
      identityFile: readablePath(host.identityFile, "identityFile", at),
      certificateFile: readablePath(host.certificateFile, "certificateFile", at),
      passphrase: secretOf(passphraseFile, "passphraseFile", at),
      password: secretOf(passwordFile, "passwordFile", at),
      ...(tls !== undefined && {
        tls: {
          caFile: readablePath(tls.caFile, "tls.caFile", at),
          certFile: readablePath(tls.certFile, "tls.certFile", at) ?? "",
          keyFile: readablePath(tls.keyFile, "tls.keyFile", at) ?? "",
        },
      }),
    };
  });
}

const OF_SSH: readonly string[] = [
  ...["identityFile", "certificateFile", "passphraseFile", "passwordFile", "jump", "sudo"],
];

function withDefaults(
  host: Host,
  defaults: HostDefaults,
): Omit<Host, Filled> & { readonly [key in Filled]: NonNullable<Host[key]> } {
  const fitting = Object.entries(defaults).filter(([key]) => {
    if (OF_SSH.includes(key)) return host.ssh !== undefined;
    return key !== "engine" || host.docker === undefined;
  });
  return { ...DEFAULTS, ...Object.fromEntries(fitting), ...host } as ReturnType<
    typeof withDefaults
  >;
}

export function resolveNetwork(
  { registries, proxy, caFile }: Network,
  { folder, problems }: Reading,
): ResolvedNetwork {
  const ca = caFile === undefined ? undefined : readCertificates(resolvePath(caFile, folder));
  if (ca !== undefined && "problem" in ca) {
    problems.push({ path: ["caFile"], message: `caFile: ${ca.problem}` });
  }
  return {
    proxy,
    registries: registries.map(({ passwordFile, ...registry }, index) => {
      if (passwordFile === undefined) return registry;
      const read = readSecretFile(resolvePath(passwordFile, folder));
      if ("value" in read) return { ...registry, password: read.value };
      const path = ["registries", index, "passwordFile"];
      problems.push({
        path,
        message: `passwordFile of registry ${registry.host}: ${read.problem}`,
      });
      return registry;
    }),
    ...(ca !== undefined && "text" in ca && { ca: ca.text }),
  };
}

function readCertificates(path: string): { text: string } | { problem: string } {
  try {
    const text = readFileSync(path, "utf8");
    if (/-----BEGIN (TRUSTED )?CERTIFICATE-----/.test(text)) return { text };
    return {
      problem: `${path} holds no certificate; it is a text with -----BEGIN CERTIFICATE-----`,
    };
  } catch (error) {
    return { problem: `${path} cannot be read: ${whyUnreadable(error)}` };
  }
}

type At = Reading & { readonly name: string; readonly path: PathProblem["path"] };

function readablePath(
  file: string | undefined,
  key: string,
  { folder, problems, name, path }: At,
): string | undefined {
  if (file === undefined) return undefined;
  const resolved = resolvePath(file, folder);
  try {
    accessSync(resolved, constants.R_OK);
    if (statSync(resolved).isDirectory()) throw new Error("it is a folder");
  } catch (error) {
    const message = `${key} of host ${name}: ${resolved} cannot be read: ${whyUnreadable(error)}`;
    problems.push({ path: [...path, ...key.split(".")], message });
  }
  return resolved;
}

function secretOf(
  file: string | undefined,
  key: string,
  { folder, problems, name, path }: At,
): string | undefined {
  if (file === undefined) return undefined;
  const read = readSecretFile(resolvePath(file, folder));
  if ("value" in read) return read.value;
  problems.push({ path: [...path, key], message: `${key} of host ${name}: ${read.problem}` });
  return undefined;
}

/** What may never be printed. */
export function secretsOfHosts({
  hosts,
  network,
}: {
  readonly hosts: readonly ResolvedHost[];
  readonly network: ResolvedNetwork;
}): string[] {
  const ofHosts = hosts.flatMap(({ password, passphrase }) => [password, passphrase]);
  const ofRegistries = network.registries.map(({ password }) => password);
  const proxies = [network.proxy?.http, network.proxy?.https];
  const ofProxies = proxies.map((url) => (url && URL.parse(url)?.password) || undefined);
  return [...ofHosts, ...ofRegistries, ...ofProxies].filter((secret) => secret !== undefined);
}
