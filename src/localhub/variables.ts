import type { Repository } from "./hub.ts";

/** The `vars` context: the owner's variables below those of the repository. */
export function variablesFor({ owner, variables }: Repository): { [name: string]: string } {
  return Object.fromEntries([...owner.variables, ...variables]);
}
