/** Runs the busy job in a process of its own, or comes back to it: `driver.ts FOLDER JOB IMAGE LINES`, with `docker` for LINES the job of docker actions, with `token` the one with a token for each life, with `slow` one whose
 * time is up soon. Made to be killed. */
import { renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { executeJob } from "../../runner/job/execute-job.ts";
import type { JobDescription } from "../../runner/job/job-description.ts";
import type { JobEvent } from "../../runner/job/job-event.ts";
import { containerPlaces } from "../../src/container-places.ts";
import { connectEngine } from "../../src/containers/connect-engine.ts";
import { removeJob } from "../../src/containers/gc.ts";
import type { Leak } from "../../src/containers/remove-objects.ts";
import { openJobJournal } from "../../src/store/job-journal.ts";
import { stateFolder } from "../../src/store/state-folder.ts";
import { busyJob } from "./busy-job.ts";
import { dockerJob } from "./docker-job.ts";
import { tokenJob, tokensIn } from "./token-job.ts";

const [folder = "", id = "", image = "", lines = ""] = process.argv.slice(2);
const engine = await connectEngine({
  env: process.env,
  home: homedir(),
  uid: process.getuid?.() ?? 0,
  stateDir: stateFolder(process.env, process.getuid?.()),
});
await using journal = await openJobJournal(join(folder, "journal"));
const events: JobEvent[] = await Array.fromAsync(journal.told());
const onLeak = ({ kind, id, cause }: Leak) => console.error("left behind", kind, id, cause);
// The life that finished it may have died before it had removed everything.
if (journal.isFinished) await removeJob(engine.docker, id, onLeak);
else {
  const openPlace = containerPlaces({
    engine,
    hostName: "here",
    imageFor: () => image,
    onLeak,
  });
  const report = (event: JobEvent) => {
    journal.record(event);
    events.push(event);
  };
  await executeJob(
    jobOf(lines),
    { openPlace, report, journal, ...(lines === "token" ? tokensIn(folder) : {}) },
    new AbortController().signal,
  );
}
writeFileSync(join(folder, `events.${process.pid}`), JSON.stringify(events));
renameSync(join(folder, `events.${process.pid}`), join(folder, "events.json"));

function jobOf(kind: string): JobDescription {
  switch (kind) {
    case "docker":
      return dockerJob(id);
    case "token":
      return tokenJob(id);
    case "slow":
      return { ...tokenJob(id), timeoutMinutes: 0.02 };
    default:
      return busyJob(id, Number(kind));
  }
}
