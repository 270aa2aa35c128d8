import {
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  randomBytes,
} from "node:crypto";
import { promisify } from "node:util";
import PQueue from "p-queue";
import { BerthError } from "../../runner/errors.ts";
import { createRepository } from "./create-repository.ts";
import { createFaults } from "./faults.ts";
import type { Account, AppFacts, Hub, Installation } from "./hub.ts";
import {
  type AccountOptions,
  ALL_EVENTS,
  ALL_PERMISSIONS,
  type LocalHubOptions,
} from "./hub-options.ts";

const generateKey = promisify(generateKeyPair);
const DEFAULT_ORGANIZATIONS = [{ login: "octo", repositories: [{ name: "hello" }] }];

/** The App's private key: the one given, or a new one. */
export async function readAppKey(pem: string | undefined): Promise<KeyObject> {
  if (pem === undefined) return (await generateKey("rsa", { modulusLength: 2048 })).privateKey;
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new BerthError("USAGE", {
      message: "app.privateKey is no private key.",
      remedy: "Give an RSA key as PEM, or leave it out.",
      cause,
    });
  }
}

/** Everything a hub holds at its start. */
export async function buildHub(
  options: LocalHubOptions,
  place: {
    readonly url: string;
    readonly folder: string;
    readonly key: KeyObject;
    readonly closed: AbortSignal;
  },
): Promise<Hub> {
  let lastId = (options.firstId ?? 1001) - 1;
  const nextId = () => {
    lastId += 1;
    return lastId;
  };
  const { url, folder, key, closed } = place;
  const { webhook = {}, faults = {}, now = () => new Date(), rateLimit = 5000 } = options;
  const hub: Hub = {
    ...{ url, folder, closed, nextId, now, rateLimit },
    app: appFacts(options.app ?? {}, key, nextId),
    webhook: {
      url: webhook.url,
      secret: webhook.secret ?? randomBytes(20).toString("hex"),
      timeoutMs: webhook.timeoutMs ?? 10_000,
    },
    archiveKey: randomBytes(32),
    ...{ accounts: new Map(), repositories: new Map(), installations: [], tokens: new Map() },
    ...{ runs: new Map(), jobs: new Map(), checkRuns: new Map(), checkSuites: new Map() },
    ...{ deliveries: [], heldBack: new Set(), driving: new Set(), following: new Set() },
    outbox: new PQueue({ concurrency: 1 }),
    faults: createFaults(faults),
    rateLimits: new Map(),
    onEvent: (event) => options.onEvent?.(event),
  };
  for (const each of options.organizations ?? DEFAULT_ORGANIZATIONS) {
    await addAccount(hub, each, "Organization");
  }
  for (const each of options.users ?? ["octocat"]) {
    await addAccount(hub, typeof each === "string" ? { login: each } : each, "User");
  }
  return hub;
}

/** The App's installation on an account. */
export function addInstallation(
  hub: Hub,
  account: Account,
  {
    repositories,
    permissions = hub.app.permissions,
  }: { repositories: Installation["repositories"]; permissions?: Installation["permissions"] },
): Installation {
  const installation = { id: hub.nextId(), account, permissions, repositories };
  hub.installations.push(installation);
  return installation;
}

function appFacts(
  app: NonNullable<LocalHubOptions["app"]>,
  key: KeyObject,
  nextId: () => number,
): AppFacts {
  const { id = nextId(), slug = "berth-local" } = app;
  const account = { id: nextId(), variables: new Map() };
  return {
    ...{ id, slug, name: slug, clientId: `Iv23li${id}`, publicKey: createPublicKey(key) },
    permissions: app.permissions ?? ALL_PERMISSIONS,
    events: app.events ?? ALL_EVENTS,
    bot: { ...account, login: `${slug}[bot]`, type: "Bot" },
    owner: { ...account, id: nextId(), login: "app-owner", type: "User" },
  };
}

async function addAccount(
  hub: Hub,
  options: AccountOptions,
  type: "Organization" | "User",
): Promise<void> {
  const { login, installed = type === "Organization", permissions } = options;
  const key = login.toLowerCase();
  if (!/^[a-z0-9][a-z0-9-]*$/.test(key)) {
    throw new BerthError("USAGE", { message: `'${login}' cannot be an account's name.` });
  }
  if (hub.accounts.has(key)) {
    throw new BerthError("USAGE", { message: `There are two accounts ${login}.` });
  }
  const variables = new Map(Object.entries(options.variables ?? {}));
  const { keys = [] } = options;
  const account: Account = { id: hub.nextId(), login, type, variables, keys };
  hub.accounts.set(key, account);
  if (type === "User") {
    const token = `ghp_${randomBytes(27).toString("base64url")}`;
    hub.tokens.set(token, { kind: "user", account });
  }
  for (const repository of options.repositories ?? []) {
    await createRepository(hub, account, repository);
  }
  if (installed === false) return;
  const repositories = installed === true ? ("all" as const) : installed;
  addInstallation(hub, account, { repositories, ...(permissions && { permissions }) });
}
