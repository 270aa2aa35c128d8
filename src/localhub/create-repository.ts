import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import PQueue from "p-queue";
import { BerthError } from "../../runner/errors.ts";
import { ConcurrencyGroups } from "../../runner/workflow/concurrency-groups.ts";
import { commitFiles } from "./commit-files.ts";
import { git } from "./git.ts";
import { type Account, findRepository, type Hub, type Repository } from "./hub.ts";
import type { RepositoryOptions } from "./hub-options.ts";

const CONFIG = {
  "http.receivepack": "true",
  // As on GitHub, any commit can be fetched by its id, and partially.
  "uploadpack.allowAnySHA1InWant": "true",
  "uploadpack.allowFilter": "true",
  "receive.shallowUpdate": "true",
  "receive.autogc": "false",
  "gc.auto": "0",
};

/**
 * Makes a repository, with what the options put into it. No event tells of it.
 *
 * @throws {BerthError} `USAGE` for a name that is none or taken, or a fork of what is not there.
 */
export async function createRepository(
  hub: Hub,
  owner: Account,
  options: RepositoryOptions,
): Promise<Repository> {
  const { name, from, forkOf, files } = options;
  const fullName = `${owner.login}/${name}`;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name) || name.endsWith(".git")) {
    throw new BerthError("USAGE", { message: `'${name}' cannot be a repository's name.` });
  }
  if (findRepository(hub, fullName)) {
    throw new BerthError("USAGE", { message: `There are two repositories ${fullName}.` });
  }
  const parent = forkOf === undefined ? undefined : findRepository(hub, forkOf);
  if (forkOf !== undefined && !parent) {
    throw new BerthError("USAGE", {
      message: `${fullName} is to be a fork of ${forkOf}, which is not there.`,
      remedy: "List the fork after the repository it is of.",
    });
  }

  const parentFolder = join(hub.folder, owner.login.toLowerCase());
  const folder = join(parentFolder, `${name.toLowerCase()}.git`);
  await mkdir(parentFolder, { recursive: true });
  const source = from ?? parent?.folder;
  await (source === undefined
    ? git(hub.folder, ["init", "--quiet", "--bare", folder])
    : git(hub.folder, ["clone", "--quiet", "--bare", "--no-hardlinks", "--", source, folder], {
        env: TRUST,
      }));
  const copied = source && (await git(folder, ["symbolic-ref", "--short", "HEAD"]));
  const defaultBranch = options.defaultBranch ?? (copied || "main");
  await git(folder, ["symbolic-ref", "HEAD", `refs/heads/${defaultBranch}`]);
  for (const [key, value] of Object.entries(CONFIG)) await git(folder, ["config", key, value]);
  if (files) {
    const first = { branch: defaultBranch, message: "Add the first files", files };
    await commitFiles(folder, first, { date: hub.now() });
  }

  const repository: Repository = {
    ...{ id: hub.nextId(), owner, name, fullName, defaultBranch, folder },
    isPrivate: options.private ?? true,
    ...(parent && { parent }),
    variables: new Map(Object.entries(options.variables ?? {})),
    reviewedEnvironments: new Set(options.reviewedEnvironments),
    changes: new PQueue({ concurrency: 1 }),
    groups: new ConcurrencyGroups(),
    workflows: new Map(),
    pulls: [],
  };
  hub.repositories.set(fullName.toLowerCase(), repository);
  return repository;
}

/** What the caller names may belong to another user. */
const TRUST = {
  GIT_CONFIG_COUNT: "1",
  GIT_CONFIG_KEY_0: "safe.directory",
  GIT_CONFIG_VALUE_0: "*",
};
