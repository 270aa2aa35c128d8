import { posix } from "node:path";
import { readSize } from "../containers/options/read-quantity.ts";
import type { Config } from "./config.ts";
import type { Explanation } from "./explain-issue.ts";
import type { Host } from "./host.ts";
import type { Network } from "./network.ts";
import { type Path, placeholdersIn } from "./placeholders.ts";
import type { Profile } from "./profile.ts";

/** The parts of a configuration that are right each by itself. */
export type Sections = { readonly [key in keyof Config]?: Config[key] | undefined };

/** What is wrong between keys that are each right by themselves: names that lead nowhere, and what cannot go together. */
export function checkConfig(sections: Sections): Explanation[] {
  const { github, hosts, registries, profiles, policy, intake } = sections;
  return [
    ...(github ? checkGitHub(github, intake) : []),
    ...checkHosts(hosts ?? []),
    ...checkRegistries(registries ?? []),
    ...(profiles ? checkProfileNames(Object.keys(profiles)) : []),
    ...Object.entries(profiles ?? {}).flatMap(([name, profile]) =>
      checkProfile(name, profile, sections),
    ),
    ...(policy?.repositories.every((pattern) => pattern.startsWith("!"))
      ? [
          {
            path: ["policy", "repositories"],
            message: "policy.repositories only takes away: no repository is left",
          },
        ]
      : []),
  ];
}

function checkGitHub(
  { app, webhookSecret, webhookSecretFile }: Config["github"],
  intake: Config["intake"] | undefined,
): Explanation[] {
  const found: Explanation[] = [];
  if (app.privateKey !== undefined && app.privateKeyFile !== undefined) {
    found.push(both(["github", "app"], "privateKey", "privateKeyFile"));
  }
  if (app.privateKey === undefined && app.privateKeyFile === undefined) {
    const message =
      "privateKeyFile is missing in github.app: the .pem file that GitHub gave you for the App (or privateKey)";
    found.push({ path: ["github", "app"], key: true, message });
  }
  if (webhookSecret !== undefined && webhookSecretFile !== undefined) {
    found.push(both(["github"], "webhookSecret", "webhookSecretFile"));
  }
  if (webhookSecret === undefined && webhookSecretFile === undefined && intake === "webhook") {
    const message =
      "webhookSecretFile is missing in github: without it nobody can tell GitHub's events from others (or webhookSecret, or intake: poll)";
    found.push({ path: ["github"], key: true, message });
  }
  return found;
}

function both(path: Path, one: string, other: string): Explanation {
  const section = path
    .map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`))
    .join("");
  const message = `${section.slice(1)} has both ${one} and ${other}; leave one out`;
  return { path: [...path, other], key: true, message };
}

/** Also where a file is read for its hosts alone. */
export function checkHosts(hosts: readonly Host[]): Explanation[] {
  return hosts.flatMap((host, index) => {
    const path = ["hosts", index];
    const found: Explanation[] = [];
    const first = hosts.findIndex(({ name }) => isSame(name, host.name));
    if (first < index) {
      found.push({ path: [...path, "name"], message: `there are two hosts named ${host.name}` });
    }
    if (host.ssh !== undefined && host.docker !== undefined && !isSocket(host.docker)) {
      const message = `host ${host.name} has both ssh and ${host.docker}; with ssh, docker is a socket of that machine, like unix:///var/run/docker.sock`;
      found.push({ path: [...path, "docker"], key: true, message });
    }
    if (host.tls !== undefined && (host.docker === undefined || isSocket(host.docker))) {
      const message = `host ${host.name} has tls, which is for an engine at tcp:// or https://`;
      found.push({ path: [...path, "tls"], key: true, message });
    }
    for (const key of SSH_KEYS) {
      if (host[key] === undefined || host.ssh !== undefined) continue;
      const message = `host ${host.name} has ${key}, which says something about ssh, and no ssh`;
      found.push({ path: [...path, key], key: true, message });
    }
    if (host.docker !== undefined && host.engine !== undefined) {
      const message = `host ${host.name} has both docker and engine; the endpoint already says which engine`;
      found.push({ path: [...path, "engine"], key: true, message });
    }
    return found;
  });
}

export function checkRegistries(registries: Network["registries"]): Explanation[] {
  return registries.flatMap(({ host, username, password, passwordFile }, index) => {
    const path = ["registries", index];
    if (password !== undefined && passwordFile !== undefined) {
      return [both(path, "password", "passwordFile")];
    }
    const hasPassword = password !== undefined || passwordFile !== undefined;
    if (hasPassword === (username !== undefined)) return [];
    const missing = hasPassword ? "username" : "passwordFile";
    return [{ path, key: true, message: `${missing} is missing for registry ${host}` }];
  });
}

const SSH_KEYS = [
  ...(["identityFile", "certificateFile", "passphraseFile", "passwordFile"] as const),
  ...(["jump", "hostKey", "sudo"] as const),
];

function isSocket(endpoint: string): boolean {
  return /^unix:|^\//.test(endpoint);
}

/** Labels that mean something by themselves. */
const LABELS = ["self-hosted", "linux", "x64", "arm64", "berth", "gpu", "rootless", "dind"];

function checkProfileNames(names: readonly string[]): Explanation[] {
  return names.flatMap((name, index) => {
    const path = ["profiles", name];
    if (LABELS.includes(name.toLowerCase())) {
      return [
        {
          path,
          key: true,
          message: `a profile cannot be named ${name}: that label has a meaning of its own`,
        },
      ];
    }
    const other = names.slice(0, index).find((one) => isSame(one, name));
    if (other === undefined) return [];
    return [
      {
        path,
        key: true,
        message: `profiles ${other} and ${name} are one label: labels have no case`,
      },
    ];
  });
}

function checkProfile(name: string, profile: Profile, sections: Sections): Explanation[] {
  const path = ["profiles", name];
  return [
    ...checkNeeds(profile, { path, hosts: sections.hosts }),
    ...checkMemory(profile, path),
    ...checkPrivileges(profile, { path, policy: sections.policy }),
    ...checkVolumes(profile, { path, policy: sections.policy }),
  ];
}

function checkNeeds(
  { needs, container }: Profile,
  { path, hosts }: { path: readonly string[]; hosts: readonly Host[] | undefined },
): Explanation[] {
  const found: Explanation[] = [];
  const { host, gpu } = needs;
  if (hosts && host !== undefined && !hosts.some(({ name }) => isSame(name, host))) {
    const known = hosts.map(({ name }) => name).join(", ");
    const message = `there is no host ${host}; the hosts are ${known}`;
    found.push({ path: [...path, "needs", "host"], message });
  }
  if (gpu?.mig !== undefined && gpu.model !== undefined) {
    const message = "a MIG slice has no model; leave out mig or model";
    found.push({ path: [...path, "needs", "gpu", "mig"], key: true, message });
  }
  if (needs.memory !== undefined && container?.memory !== undefined) {
    found.push(saidTwice(path, "memory"));
  }
  if (needs.cpus !== undefined && container?.cpus !== undefined) {
    found.push(saidTwice(path, "cpus"));
  }
  return found;
}

function saidTwice(path: readonly string[], key: string): Explanation {
  const name = path.join(".");
  const message = `${name}.needs.${key} and ${name}.container.${key} both set the limit; leave one out`;
  return { path: [...path, "container", key], key: true, message };
}

/** As the engine has it: memory and swap together are no less than memory alone. */
function checkMemory({ container, needs }: Profile, path: readonly string[]): Explanation[] {
  const { memory, memorySwap } = container ?? {};
  const at = [...path, "container", "memorySwap"];
  if (memorySwap === undefined || [-1, "-1"].includes(memorySwap)) return [];
  const memoryBytes = memory === undefined ? needs.memory?.bytes : bytesOf(memory);
  const swapBytes = bytesOf(memorySwap);
  if (memory === undefined && memoryBytes === undefined) {
    return [
      {
        path: at,
        key: true,
        message: "memorySwap counts memory and swap together, and there is no memory",
      },
    ];
  }
  if (memoryBytes === undefined || swapBytes === undefined || swapBytes >= memoryBytes) return [];
  return [
    {
      path: at,
      message: "memorySwap is memory and swap together, so it cannot be less than memory",
    },
  ];
}

/** `undefined` while it waits for a job. */
function bytesOf(size: string | number): number | undefined {
  const text = String(size);
  return placeholdersIn(text).length > 0 ? undefined : readSize(text, "size");
}

function checkPrivileges(
  { container, allow, dind }: Profile,
  { path, policy }: { path: readonly string[]; policy: Config["policy"] | undefined },
): Explanation[] {
  if (policy?.privileged !== "deny") return [];
  const message =
    "privileged containers are denied; policy.privileged: allow lets profiles have them";
  return [
    ...(dind !== undefined && dind.mode !== "rootless"
      ? [
          {
            path: [...path, "dind", "mode"],
            message: `dind.mode ${dind.mode} is as good as privileged, and privileged containers are denied; policy.privileged: allow lets profiles have them`,
          },
        ]
      : []),
    ...(container?.privileged ? [{ path: [...path, "container", "privileged"], message }] : []),
    ...allow.flatMap((permission, index) =>
      permission === "privileged" ? [{ path: [...path, "allow", index], message }] : [],
    ),
  ];
}

function checkVolumes(
  { container }: Profile,
  { path, policy }: { path: readonly string[]; policy: Config["policy"] | undefined },
): Explanation[] {
  if (policy === undefined) return [];
  return (container?.volumes ?? []).flatMap(({ source }, index) => {
    if (!source?.startsWith("/")) return [];
    // What comes with the job is looked at again when it is known.
    const known = source.split("${")[0] ?? source;
    const folder =
      known === source ? posix.resolve(source) : posix.resolve(known.replace(/[^/]*$/, ""));
    if (isAllowed(folder, policy.hostPaths)) return [];
    const message = `${folder} is not below one of policy.hostPaths, so no job could have it`;
    return [{ path: [...path, "container", "volumes", index, "source"], message }];
  });
}

function isAllowed(folder: string, hostPaths: readonly string[]): boolean {
  return hostPaths.some((allowed) => {
    const top = posix.resolve(allowed);
    return folder === top || folder.startsWith(top === "/" ? "/" : `${top}/`);
  });
}

function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}
