import { BerthError, textOf } from "../../runner/errors.ts";
import { configInvalid, readConfig } from "../config/read-config.ts";
import type { ServiceConfig } from "../config/resolve-files.ts";
import type { Log } from "../log.ts";

/** What has been opened by them stays open while the service runs. */
const NEED_RESTART = ["hosts", "listen", "intake", "store", "log"] as const;

/** @throws {BerthError} `CONFIG_INVALID` with all problems. */
export function readChecked(file: string) {
  const read = readConfig(file, { env: process.env, cwd: process.cwd() });
  if ("problems" in read) throw configInvalid(read.problems);
  return read;
}

/**
 * The configuration after its file was read anew: what can change while jobs run is changed. Where the file has problems it is `inForce`
 * as it was.
 */
export function reloadConfig(
  file: string,
  { inForce, log, hide }: { inForce: ServiceConfig; log: Log; hide(secret: string): void },
): ServiceConfig {
  try {
    const { config, secrets } = readChecked(file);
    for (const secret of secrets) hide(secret);
    const kept = keepOpened(config, inForce);
    if (kept.needsRestart.length === 0) log.info({ file }, "configuration read anew");
    else {
      log.warn(
        { file, needsRestart: kept.needsRestart },
        "configuration read anew; a part of it counts from the next start on",
      );
    }
    return kept.config;
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    log.error({ file, why: textOf(error) }, "configuration is not taken, the old one stays");
    return inForce;
  }
}

function keepOpened(
  next: ServiceConfig,
  inForce: ServiceConfig,
): { config: ServiceConfig; needsRestart: string[] } {
  const changed = NEED_RESTART.filter((key) => differ(next[key], inForce[key]));
  const kept = Object.fromEntries(changed.map((key) => [key, inForce[key]]));
  const { webhookSecrets, ...server } = next.github;
  const { webhookSecrets: _old, ...serverInForce } = inForce.github;
  const isOther = differ(server, serverInForce);
  return {
    config: { ...next, ...kept, github: { ...serverInForce, webhookSecrets } },
    needsRestart: [...changed, ...(isOther ? ["github"] : [])],
  };
}

function differ(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) !== JSON.stringify(other);
}
