import type { PodHost } from "./containers/pods/pod-host.ts";
import type { HostAccess } from "./hosts/host-access.ts";

export type PodHostOptions = Pick<
  PodHost,
  "namedBy" | "claimGpus" | "releaseClaims" | "registries" | "bringImage" | "setUp"
>;

/** A way to a machine as a host for containers of a person's. */
export function podHostOf(access: HostAccess, options: PodHostOptions = {}): PodHost {
  const { namedBy, ...rest } = options;
  const isLocal = access.address === "localhost";
  return {
    name: access.name,
    // By its number, so that nothing is tried over IPv6 that is not published there.
    address: isLocal ? "127.0.0.1" : access.address,
    isLocal,
    namedBy,
    async engines(signal) {
      const { engines } = await access.probe(signal);
      return namedBy === undefined ? engines : engines.filter(({ isDefault }) => isDefault);
    },
    connect: (endpoint, signal) => access.engine(endpoint, signal),
    ...rest,
  };
}
