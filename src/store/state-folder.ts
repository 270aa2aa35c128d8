import { homedir } from "node:os";
import { join } from "node:path";

/**
 * The folder in which Berth remembers things between commands on this machine: `$XDG_STATE_HOME/berth` where that is
 * set, `/var/lib/berth` for root, `~/.local/state/berth` for everyone else.
 */
export function stateFolder(
  env: { readonly [name: string]: string | undefined },
  uid: number | undefined,
): string {
  const xdg = env.XDG_STATE_HOME;
  // The XDG rules: a relative path is to be ignored.
  if (xdg?.startsWith("/")) return join(xdg, "berth");
  return uid === 0 ? "/var/lib/berth" : join(env.HOME ?? homedir(), ".local/state/berth");
}

/**
 * The folder of the service's database and logs: the one that `store.path` of the configuration names, else one in Berth's own,
 * which `stateFolder` says.
 */
export function storeFolder(
  store: { readonly path?: string | undefined },
  stateFolder: string,
): string {
  return store.path ?? join(stateFolder, "service");
}
