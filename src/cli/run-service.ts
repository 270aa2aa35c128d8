import { once } from "node:events";
import { homedir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { findConfig } from "../config/find-config.ts";
import { createLog, type Log, type LogLevel } from "../log.ts";
import { storeFolder as storeFolderOf } from "../store/state-folder.ts";
import { INTERRUPTED, type Interrupts } from "./interrupts.ts";
import { createLogMask } from "./log-mask.ts";
import { openHosts } from "./open-hosts.ts";
import { openService, type Service } from "./open-service.ts";
import { readChecked, reloadConfig } from "./reload-config.ts";
import { thisMachine } from "./this-machine.ts";
import { useNetwork } from "./use-network.ts";
import { version } from "./version.ts";

export type ServeFlags = {
  readonly config?: string;
  /** In seconds. */
  readonly drainTimeout: number;
  /** In place of the configuration's. */
  readonly logLevel?: LogLevel | undefined;
};

const LOOK_AGAIN_MS = 200;
/** What takes longer to close is left: the next process comes back to it as after a crash. */
const CLOSE_GRACE_MS = 10_000;

/** The service from its configuration to the signal that ends it. Hands back the exit code. */
export async function runService(flags: ServeFlags, interrupts: Interrupts): Promise<number> {
  const { env } = process;
  const file = findConfig(flags.config, { cwd: process.cwd(), env, home: homedir() });
  const { config, secrets } = readChecked(file);
  const logMask = createLogMask(secrets);
  const log = createLog({
    level: flags.logLevel ?? config.log.level,
    format: config.log.format,
    out: process.stderr,
    mask: logMask.mask,
  });
  endOnUnexpected(log);

  let inForce = config;
  let service: Service | undefined;
  interrupts.leave("SIGHUP");
  process.on("SIGHUP", () => {
    inForce = reloadConfig(file, { inForce, log, hide: logMask.add });
    service?.reload(inForce);
  });

  useNetwork(config.network, env);
  const { stateDir } = thisMachine({});
  const storeFolder = storeFolderOf(config.store, stateDir);
  const hosts = await openHosts(config, { storeFolder, log });
  try {
    service = await openService({
      ...{ config, hosts, log, storeFolder, stateFolder: stateDir, env, version: version() },
      ...{ hide: logMask.addPassing, starting: interrupts.first },
    });
  } catch (error) {
    if (interrupts.first.aborted) return 0;
    throw error;
  }
  if (inForce !== config) service.reload(inForce);
  process.stderr.write(`listening on ${service.url}\n`);

  await aborted(interrupts.first);
  return await stop(service, {
    drainMs: flags.drainTimeout * 1000,
    log,
    atOnce: interrupts.second,
  });
}

/** A service that does not know how it is ends: the next one takes up what it finds. */
function endOnUnexpected(log: Log): void {
  process.on("uncaughtException", (error) => {
    log.error(
      { err: error },
      "unexpected error: the service ends, and leaves what runs to the next one",
    );
    process.exit(1);
  });
}

async function stop(
  service: Service,
  { drainMs, log, atOnce }: { drainMs: number; log: Log; atOnce: AbortSignal },
): Promise<number> {
  service.drain();
  const running = service.running();
  if (drainMs > 0 && running > 0)
    log.info({ running, drainMs }, "takes no new jobs, waits for those that run");
  await ended(service, { timeoutMs: drainMs, signal: atOnce });
  log.info({ running: service.running() }, "stops, and leaves what runs to the next one");

  const waiting = sleep(CLOSE_GRACE_MS, undefined, { ref: false });
  await Promise.race([service[Symbol.asyncDispose](), waiting, aborted(atOnce)]);
  return atOnce.aborted ? INTERRUPTED : 0;
}

async function ended(
  service: Service,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
): Promise<void> {
  const until = Date.now() + timeoutMs;
  while (service.running() > 0 && Date.now() < until && !signal.aborted) {
    await sleep(LOOK_AGAIN_MS, undefined, { signal }).catch(() => {});
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await once(signal, "abort");
}
