import { createHash } from "node:crypto";
import { hostname } from "node:os";
import { BerthError } from "../../runner/errors.ts";
import type { ResolvedHost } from "../config/resolve-hosts.ts";
import { openEngineHost } from "../engine-host.ts";
import type { HostPlaces } from "../fleet/host-places.ts";
import type { SetupEvent } from "../hosts/setup-step.ts";
import type { Log } from "../log.ts";
import { thisMachine } from "./this-machine.ts";

/**
 * The hosts of a configuration, none of them looked at yet.
 *
 * @throws {BerthError} `NOT_SUPPORTED_YET` for one over SSH.
 */
export async function openHosts(
  hosts: readonly ResolvedHost[],
  { storeFolder, log }: { storeFolder: string; log: Log },
): Promise<HostPlaces[]> {
  const remote = hosts.find(({ ssh }) => ssh !== undefined);
  if (remote !== undefined) {
    throw new BerthError("NOT_SUPPORTED_YET", {
      message: `The host ${remote.name} is reached over SSH, which a later version of Berth does.`,
      remedy: "Give it a `docker` endpoint, or run Berth on that machine.",
    });
  }
  const serviceId = serviceIdOf(storeFolder);
  return await Promise.all(
    hosts.map(({ name, slots, docker: endpoint }) =>
      openEngineHost({
        ...{ name, slots, serviceId, log, endpoint },
        connect: {
          ...thisMachine({ docker: endpoint }),
          onCommand: (command) => log.debug({ host: name, ...command }, "asked the engine"),
        },
        report: (event) => tellSetup(event, { host: name, log }),
      }),
    ),
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
