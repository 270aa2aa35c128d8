import { createHash } from "node:crypto";
import { once } from "node:events";
import { homedir, hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { Command, InvalidArgumentError } from "commander";
import { BerthError, textOf } from "../../runner/errors.ts";
import { createMasker, type Masker } from "../../runner/logs/mask.ts";
import type { Host } from "../config/config.ts";
import { findConfig } from "../config/find-config.ts";
import { configInvalid, readConfig } from "../config/read-config.ts";
import type { ServiceConfig } from "../config/resolve-files.ts";
import { openEngineHost } from "../engine-host.ts";
import type { HostPlaces } from "../fleet/host-places.ts";
import { createLog, type Log } from "../log.ts";
import { storeFolder } from "../store/state-folder.ts";
import type { Interrupts } from "./interrupts.ts";
import { openService, type Service } from "./open-service.ts";
import { thisMachine } from "./this-machine.ts";
import { version } from "./version.ts";

type Flags = { readonly config?: string; readonly drainTimeout: number };

const LOOK_AGAIN_MS = 200;

/** `berth serve`: takes jobs from GitHub until it is told to stop. */
export function serveCommand(interrupts: Interrupts): Command {
  return new Command("serve")
    .description("Run GitHub's jobs on your hosts: hear of them, run them, report back.")
    .option(
      "-c, --config <file>",
      "the configuration; else berth.yml here, the user's, the machine's",
    )
    .option(
      "--drain-timeout <seconds>",
      "when told to stop, wait this long for jobs that run; they are left running after that",
      readSeconds,
      0,
    )
    .addHelpText(
      "after",
      `
On SIGTERM or Ctrl-C no new job is started; jobs that run go on in their containers, and the next
berth serve comes back to them. SIGHUP reads the configuration anew.

Example:
  berth serve -c berth.yml`,
    )
    .action(async (flags: Flags, command: Command) => {
      const { logLevel } = command.optsWithGlobals<{ logLevel?: string }>();
      // What still runs is the next process's: nothing of it may go on in this one.
      process.exit(await serve(flags, { interrupts, logLevel }));
    });
}

async function serve(
  flags: Flags,
  { interrupts, logLevel }: { interrupts: Interrupts; logLevel: string | undefined },
): Promise<number> {
  const { env } = process;
  const cwd = process.cwd();
  const file = findConfig(flags.config, { cwd, env, home: homedir() });
  const { config, secrets } = readChecked(file);
  const masker = createMasker();
  for (const secret of secrets) masker.add(secret);
  const log = createLog({
    level: logLevel === "debug" ? "debug" : config.log.level,
    format: config.log.format,
    out: process.stderr,
    mask: masker.mask,
  });
  const { stateDir } = thisMachine({});
  const folder = storeFolder(config.store, stateDir);
  const hosts = await openHosts(config.hosts, { folder, log });
  const service = await openService({
    ...{ config, hosts, log, storeFolder: folder, stateFolder: stateDir },
    ...{ env, version: version(), hide: masker.add },
  });
  interrupts.leave("SIGHUP");
  process.on("SIGHUP", () => reload(file, { before: config, service, log, masker }));
  process.stderr.write(`listening on ${service.url}\n`);

  await aborted(interrupts.first);
  const timeoutMs = flags.drainTimeout * 1000;
  service.drain();
  await ended(service, { timeoutMs, signal: interrupts.second });
  log.info({ running: service.running() }, "stops, and leaves what runs to the next one");
  await service[Symbol.asyncDispose]();
  return 0;
}

function readChecked(file: string) {
  const read = readConfig(file, { env: process.env, cwd: process.cwd() });
  if ("problems" in read) throw configInvalid(read.problems);
  return read;
}

/** The folder's name in what engines hold: so that two services on one engine keep off each other's jobs. */
function serviceIdOf(folder: string): string {
  return createHash("sha256").update(`${hostname()} ${folder}`).digest("hex").slice(0, 16);
}

async function openHosts(
  hosts: readonly Host[],
  { folder, log }: { folder: string; log: Log },
): Promise<HostPlaces[]> {
  const remote = hosts.find(({ ssh }) => ssh !== undefined);
  if (remote !== undefined) {
    throw new BerthError("NOT_SUPPORTED_YET", {
      message: `The host ${remote.name} is reached over SSH, which a later version of Berth does.`,
      remedy: "Give it a `docker` endpoint, or run Berth on that machine.",
    });
  }
  const serviceId = serviceIdOf(folder);
  return await Promise.all(
    hosts.map(({ name, slots, docker: endpoint }) =>
      openEngineHost({
        ...{ name, slots, serviceId, log, endpoint },
        connect: thisMachine({ docker: endpoint }),
      }),
    ),
  );
}

/** Takes what can be taken while jobs run; a broken file keeps the old configuration. */
function reload(
  file: string,
  {
    before,
    service,
    log,
    masker,
  }: { before: ServiceConfig; service: Service; log: Log; masker: Masker },
): void {
  try {
    const { config, secrets } = readChecked(file);
    for (const secret of secrets) masker.add(secret);
    const needsRestart = (["hosts", "listen", "intake", "store", "log"] as const).filter(
      (key) => JSON.stringify(config[key]) !== JSON.stringify(before[key]),
    );
    service.reload({ ...config, ...pick(before, needsRestart) });
    log.info({ file, needsRestart }, "configuration read anew");
  } catch (error) {
    log.error({ file, why: textOf(error) }, "configuration is not taken, the old one stays");
  }
}

function pick(config: ServiceConfig, keys: readonly (keyof ServiceConfig)[]) {
  return Object.fromEntries(keys.map((key) => [key, config[key]]));
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

function readSeconds(text: string): number {
  const seconds = Number(text);
  if (Number.isFinite(seconds) && seconds >= 0) return seconds;
  throw new InvalidArgumentError("It must be a number of seconds from 0.");
}
