import type { ResolvedHost } from "../config/resolve-hosts.ts";
import type { HostTarget } from "../hosts/open-host.ts";

/** A host of the configuration as `openHost` takes it. */
export function hostTarget(host: ResolvedHost): HostTarget {
  const { name, docker, ssh: destination, engine, tls } = host;
  const { identityFile, certificateFile, passphrase, password, hostKey, jump, sudo } = host;
  return {
    ...{ name, docker, engine, tls },
    ...(destination !== undefined && {
      ssh: {
        ...{ destination, identityFile, certificateFile, passphrase, password },
        ...{ hostKey, jump, sudo },
      },
    }),
  };
}
