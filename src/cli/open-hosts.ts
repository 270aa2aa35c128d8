import { createHash } from "node:crypto";
import { hostname } from "node:os";
import PQueue from "p-queue";
import { textOf } from "../../runner/errors.ts";
import type { ServiceConfig } from "../config/resolve-files.ts";
import type { ResolvedHost } from "../config/resolve-hosts.ts";
import type { Engine } from "../containers/connect-engine.ts";
import { openEngineHost } from "../engine-host.ts";
import type { HostPlaces } from "../fleet/host-places.ts";
import { findEngine } from "../hosts/find-engine.ts";
import type { HostAccess } from "../hosts/host-access.ts";
import { openHost } from "../hosts/open-host.ts";
import { prepareImages } from "../hosts/prepare-machine.ts";
import type { SetupEvent } from "../hosts/setup-step.ts";
import { withSetup } from "../hosts/with-setup.ts";
import type { Log } from "../log.ts";
import { setupLogFile } from "./host-setup.ts";
import { hostTarget } from "./host-target.ts";
import { thisMachine } from "./this-machine.ts";

/** The hosts of a configuration, none of them looked at yet. */
export async function openHosts(
  { hosts, network }: Pick<ServiceConfig, "hosts" | "network">,
  { storeFolder, log }: { storeFolder: string; log: Log },
): Promise<HostPlaces[]> {
  const serviceId = serviceIdOf(storeFolder);
  const copyFrom = openImageSource(log);
  return await Promise.all(
    hosts.map(async (host) => {
      const { name, slots } = host;
      const report = (event: SetupEvent) => tellSetup(event, { host: name, log });
      const connect = {
        ...thisMachine({}),
        onCommand: (command: object) => log.debug({ host: name, ...command }, "asked the engine"),
      };
      const opened = await openHost(hostTarget(host), { connect, report });
      const access = setUpAsConfigured(opened, host, { log, report });
      return openEngineHost({
        ...{ access, slots, serviceId, log, connect, report },
        keepFreeBytes: host.keepFreeDisk.bytes,
        images: host.images,
        network,
        supply: { registries: network.registries, ...(host.ssh !== undefined && { copyFrom }) },
      });
    }),
  );
}

/** This machine's engine with its job image, made once and only when some host asks. */
function openImageSource(log: Log): (signal: AbortSignal) => Promise<Docker | undefined> {
  const turns = new PQueue({ concurrency: 1 });
  let known: Docker | undefined;
  const report = (event: SetupEvent) => tellSetup(event, { host: "this machine", log });
  async function make(signal: AbortSignal): Promise<Docker | undefined> {
    try {
      const prepare = { connect: thisMachine({}), report, signal };
      const engine = await findEngine(prepare);
      await prepareImages(engine, [], prepare);
      known = engine.docker;
    } catch (error) {
      signal.throwIfAborted();
      log.info({ cause: textOf(error) }, "this machine has no image to copy: hosts make their own");
    }
    return known;
  }
  return async (signal) => known ?? (await turns.add(() => known ?? make(signal)));
}

function setUpAsConfigured(
  access: HostAccess,
  { name, setup, engine }: ResolvedHost,
  { log, report }: { readonly log: Log; report(event: SetupEvent): void },
): HostAccess {
  if (setup.mode !== "auto" || access.shell === undefined) return access;
  return withSetup(access, {
    allow: setup.allow,
    engine: engine === "podman" ? undefined : engine,
    logFile: setupLogFile(name),
    report,
    tell({ ok, attempts, fallbackReason, obstacles, error }) {
      const said = attempts.map(({ step, outcome }) => `${step}: ${outcome}`);
      const why = [fallbackReason, error?.message, ...obstacles.map(({ reason }) => reason)];
      const facts = { host: name, attempts: said, why: why.filter((one) => one !== undefined) };
      if (ok) log.info(facts, "host was set up");
      else log.warn(facts, "host could not be set up");
    },
  });
}

type Docker = Engine["docker"];

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
