import { createPrivateKey } from "node:crypto";
import type { Config } from "./config.ts";
import type { PathProblem } from "./interpolate.ts";
import type { Network } from "./network.ts";
import { placeholdersIn } from "./placeholders.ts";
import { readSecretFile, resolvePath } from "./read-secret-file.ts";
import {
  type ResolvedHost,
  type ResolvedNetwork,
  resolveHosts,
  resolveNetwork,
  secretsOfHosts,
} from "./resolve-hosts.ts";

/** The configuration as the service uses it: secrets read, paths absolute. */
export type ServiceConfig = Omit<
  Config,
  "github" | "secretKeyFile" | "hosts" | "hostDefaults" | keyof Network
> & {
  readonly hosts: readonly ResolvedHost[];
  /** What machines need to reach the world outside. */
  readonly network: ResolvedNetwork;
  readonly github: {
    readonly url: string;
    readonly apiUrl: string;
    readonly app: { readonly id: number; readonly privateKey: string };
    /** Each of them is good. None where events are polled for. */
    readonly webhookSecrets: readonly string[];
  };
  /** What `secretKeyFile` holds. */
  readonly secretKey?: string | undefined;
  readonly secretKeyFile?: string | undefined;
};

export type Resolved<Result> = {
  readonly config: Result;
  readonly problems: readonly PathProblem[];
  /** What may never be printed. */
  readonly secrets: readonly string[];
};

/** Reads the files that a configuration names. `folder` is the one that its relative paths start from. */
export function resolveFiles(config: Config, folder: string): Resolved<ServiceConfig> {
  const problems: PathProblem[] = [];
  const { secretKeyFile, github, hosts, hostDefaults, ...others } = config;
  const { registries, proxy, caFile, ...rest } = others;
  const privateKey = readKey(github.app, { folder, problems });
  const webhookSecrets = readWebhookSecrets(github, { folder, problems });
  const secretKey = readOne(secretKeyFile, { folder, problems, path: ["secretKeyFile"] });
  const resolvedHosts = resolveHosts(hosts, hostDefaults, { folder, problems });
  const network = resolveNetwork({ registries, proxy, caFile }, { folder, problems });
  const { path } = rest.store;
  return {
    config: {
      ...rest,
      hosts: resolvedHosts,
      network,
      store: { ...rest.store, ...(path !== undefined && { path: resolvePath(path, folder) }) },
      github: {
        url: github.url,
        apiUrl: github.apiUrl ?? apiUrlOf(github.url),
        app: { id: github.app.id, privateKey: privateKey ?? "" },
        webhookSecrets,
      },
      secretKey,
      secretKeyFile: secretKeyFile && resolvePath(secretKeyFile, folder),
    },
    problems,
    secrets: [
      ...[privateKey, secretKey, ...webhookSecrets, ...passwords(config)],
      ...secretsOfHosts({ hosts: resolvedHosts, network }),
    ].filter((secret) => secret !== undefined),
  };
}

type Reading = { readonly folder: string; readonly problems: PathProblem[] };

function readKey(
  { privateKey, privateKeyFile }: Config["github"]["app"],
  reading: Reading,
): string | undefined {
  const key = privateKey === undefined ? "privateKeyFile" : "privateKey";
  const path = ["github", "app", key];
  // Where a variable can hold no line breaks, keys are often written with \n.
  const text =
    privateKey?.replaceAll("\\n", "\n").trim() ?? readOne(privateKeyFile, { ...reading, path });
  if (text === undefined) return undefined;
  try {
    if (createPrivateKey(text).asymmetricKeyType === "rsa") return text;
    reading.problems.push({
      path,
      message: `${path.join(".")} holds a key that is not RSA; GitHub Apps have RSA keys`,
    });
  } catch {
    // OpenSSL's own words say nothing to those who mixed up two files.
    const message = `${path.join(".")} holds no private key; GitHub gives a .pem file that begins with -----BEGIN RSA PRIVATE KEY-----`;
    reading.problems.push({ path, message });
  }
  return text;
}

function readWebhookSecrets(
  { webhookSecret, webhookSecretFile }: Config["github"],
  reading: Reading,
): string[] {
  if (webhookSecret !== undefined) return [webhookSecret].flat();
  const isList = Array.isArray(webhookSecretFile);
  return [webhookSecretFile ?? []].flat().flatMap((file, index) => {
    const path = ["github", "webhookSecretFile", ...(isList ? [index] : [])];
    return readOne(file, { ...reading, path }) ?? [];
  });
}

function readOne(
  file: string | undefined,
  { folder, problems, path }: Reading & { path: PathProblem["path"] },
): string | undefined {
  if (file === undefined) return undefined;
  const read = readSecretFile(resolvePath(file, folder));
  if ("value" in read) return read.value;
  problems.push({
    path,
    message: `${path.filter((step) => typeof step === "string").join(".")}: ${read.problem}`,
  });
  return undefined;
}

function passwords({ profiles }: Config): string[] {
  return Object.values(profiles).flatMap(({ container }) => {
    const password = container?.credentials?.password;
    return password === undefined || placeholdersIn(password).length > 0
      ? []
      : [password.replaceAll("$${", "${")];
  });
}

/** As GitHub's own hosts and GitHub Enterprise Server have it. */
function apiUrlOf(url: string): string {
  const [, host] = /^https:\/\/((?:[\w-]+\.)?ghe\.com|github\.com)$/i.exec(url) ?? [];
  return host === undefined ? `${url}/api/v3` : `https://api.${host.toLowerCase()}`;
}
