/**
 * A service in a process of its own, whose jobs run on this machine without an engine: for measuring what it keeps in memory.
 * Takes the configuration's file and a folder; tells its address, and its memory when it is asked.
 */
import { once } from "node:events";
import { join } from "node:path";
import { Writable } from "node:stream";
import "../../test/coming-back/json-imports.ts";
import type { MemoryAnswer } from "./service-memory.ts";

const { openService } = await import("../../src/cli/open-service.ts");
const { thisMachine } = await import("../../src/cli/this-machine.ts");
const { readConfig } = await import("../../src/config/read-config.ts");
const { openLocalHost } = await import("../../src/local-host.ts");
const { createLog } = await import("../../src/log.ts");

const [file = "", folder = ""] = process.argv.slice(2);
const { env } = process;
const read = readConfig(file, { env, cwd: folder });
if ("problems" in read) throw new Error(JSON.stringify(read.problems));
const { config } = read;
const out = new Writable({ write: (line, _encoding, done) => process.stderr.write(line, done) });
const log = createLog({ level: "warn", format: "text", out, mask: (line) => line });
const connect = thisMachine({});
await using host = await openLocalHost({
  ...{ name: "here", slots: 100, folder: join(folder, "jobs"), env, connect, log },
});
const service = await openService({
  ...{ config, hosts: [host], storeFolder: join(folder, "store"), stateFolder: folder },
  ...{ env, version: "0.0.0", log, hide() {} },
});
process.on("message", () => {
  // What is left over goes with the first; its pages go back to the system with the second.
  for (let n = 0; n < 2; n++)
    globalThis.gc?.({ type: "major", execution: "sync", flavor: "last-resort" });
  const { rss, heapUsed, external } = process.memoryUsage();
  tell({ rss, heapUsed, external });
});
tell(service.url);
await once(process, "disconnect");
// A measurement that failed leaves its jobs running.
await service[Symbol.asyncDispose]();
for (const job of await host.jobsWithRemains()) await host.removeJob(job);
process.exit();

function tell(what: string | MemoryAnswer): void {
  process.send?.(what);
}
