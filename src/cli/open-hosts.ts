import { createHash } from "node:crypto";
import { hostname } from "node:os";
import type { ResolvedHost } from "../config/resolve-hosts.ts";
import { openEngineHost } from "../engine-host.ts";
import type { HostPlaces } from "../fleet/host-places.ts";
import { openHost } from "../hosts/open-host.ts";
import type { SetupEvent } from "../hosts/setup-step.ts";
import type { Log } from "../log.ts";
import { hostTarget } from "./host-target.ts";
import { thisMachine } from "./this-machine.ts";

/** The hosts of a configuration, none of them looked at yet. */
export async function openHosts(
  hosts: readonly ResolvedHost[],
  { storeFolder, log }: { storeFolder: string; log: Log },
): Promise<HostPlaces[]> {
  const serviceId = serviceIdOf(storeFolder);
  return await Promise.all(
    hosts.map(async (host) => {
      const { name, slots } = host;
      const report = (event: SetupEvent) => tellSetup(event, { host: name, log });
      const connect = {
        ...thisMachine({}),
        onCommand: (command: object) => log.debug({ host: name, ...command }, "asked the engine"),
      };
      const access = await openHost(hostTarget(host), { connect, report });
      return openEngineHost({ access, slots, serviceId, log, connect, report });
    }),
  );
}

/** The store's folder in what engines hold: so that two services on one engine keep off each other's jobs. */
function serviceIdOf(storeFolder: string): string {
  return createHash("sha256").update(`${hostname()} ${storeFolder}`).digest("hex").slice(0, 16);
}

/** It can take minutes, before which nothing else is said. */
function tellSetup(event: SetupEvent, { host, log }: { host: string; log: Log }): void {
  const { type, name: step } = event;
  if (type === "step_started") log.info({ host, step, why: event.why }, "makes a host ready");
  if (type === "step_progress") log.debug({ host, step, line: event.line }, "makes a host ready");
  if (type === "step_done") log.info({ host, step, ms: Math.round(event.ms) }, "host is ready");
  if (type === "step_failed") log.warn({ host, step }, "host could not be made ready");
}
