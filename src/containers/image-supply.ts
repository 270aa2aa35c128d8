import type Docker from "dockerode";
import type { ImageReference } from "./image-reference.ts";
import { type RegistryCredentials, storedCredentials } from "./registry-credentials.ts";

/** A registry of the configuration. */
export type KnownRegistry = {
  /** As it stands before an image's name: `ghcr.io`, `docker.io`. */
  readonly host: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** Registries with the same images, asked first, in this order. */
  readonly mirrors: readonly string[];
};

/** Where images come from that an engine does not have. */
export type ImageSupply = {
  /** Where `docker login` keeps what it knows. */
  readonly dockerConfigDir?: string | undefined;
  readonly registries?: readonly KnownRegistry[] | undefined;
  /** Another engine, whose copy does where no registry gives one. */
  copyFrom?: ((signal: AbortSignal) => Promise<Docker | undefined>) | undefined;
};

/** A name under which an image may be pulled, and as whom. */
export type PullSource = {
  readonly registry: string;
  readonly name: string;
  readonly credentials: RegistryCredentials | undefined;
};

/** Where an image can be pulled from, the best place first. `given` are credentials for the registry itself that go before all others. */
export async function pullSources(
  { registry, repository, name, digest }: ImageReference,
  supply: ImageSupply,
  given: RegistryCredentials | undefined,
): Promise<PullSource[]> {
  const { registries = [] } = supply;
  const version = name.slice(name.search(/@|:[^:/]*$/));
  const known = registries.find(({ host }) => host === registry)?.mirrors ?? [];
  // The engine gives a digest to no other name than that under which it was pulled.
  const mirrors = digest === undefined ? known : [];
  const ofMirrors = mirrors.map(async (mirror) => ({
    registry: mirror,
    name: `${mirror}/${repository}${version}`,
    credentials: await credentialsFor(mirror, supply),
  }));
  const own = given ?? (await credentialsFor(registry, supply));
  return [...(await Promise.all(ofMirrors)), { registry, name, credentials: own }];
}

/** Those of the configuration, else those that `docker login` left. */
export async function credentialsFor(
  registry: string,
  { registries = [], dockerConfigDir }: ImageSupply,
): Promise<RegistryCredentials | undefined> {
  const { username, password } = registries.find(({ host }) => host === registry) ?? {};
  if (username !== undefined && password !== undefined) return { username, password };
  return dockerConfigDir === undefined
    ? undefined
    : await storedCredentials(registry, dockerConfigDir);
}
