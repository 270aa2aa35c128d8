import type { ContainerWish } from "./container-request.ts";

/** What each container of a host's jobs gets, whatever it asks for: its own variables and volumes win. */
export type ContainerBasics = {
  readonly environment: { readonly [name: string]: string };
  /** Mounted read-only. */
  readonly volumes: readonly { readonly source: string; readonly target: string }[];
};

/** Puts them below what a container asks for. */
export function withBasics(
  wish: ContainerWish,
  basics: ContainerBasics | undefined,
): ContainerWish {
  if (basics === undefined) return wish;
  const taken = new Set(wish.mounts.map(({ Target }) => Target));
  const mounts = basics.volumes
    .filter(({ target }) => !taken.has(target))
    .map(({ source, target }) => ({
      ...{ Type: "volume" as const, Source: source, Target: target, ReadOnly: true },
    }));
  // Of a variable that is given twice, the last counts.
  const below = Object.entries(basics.environment).map(([name, value]) => `${name}=${value}`);
  return { ...wish, env: [...below, ...wish.env], mounts: [...wish.mounts, ...mounts] };
}
