import { type BerthError, textOf } from "../../runner/errors.ts";
import type { Log } from "../log.ts";
import type { JobKeeper } from "./job-keeper.ts";
import type { JobReport } from "./run-leg.ts";

/** Tells of a job that runs, or was about to, and cannot be heard for a while. */
export type Interruptions = {
  /** The connection to its shell was cut; `undefined` when it is there again. */
  cut(cut: BerthError | undefined): void;
  /** It waits for its host, with a sentence; `undefined` when it does no more. */
  waits(why: string | undefined): void;
};

/** In its check, in `berth jobs` and in its history. `doubt` hears of a host that should be looked at. */
export function tellInterruptions(
  keeper: JobKeeper,
  {
    host,
    report,
    doubt,
    log,
    now = () => new Date(),
  }: {
    readonly host: string;
    readonly report: Pick<JobReport, "interrupted">;
    doubt?(host: string): void;
    readonly log: Log;
    now?(): Date;
  },
): Interruptions {
  let isTold = false;

  function tell(why: string | undefined): void {
    if (why === undefined && !isTold) return;
    keeper.tell({ reason: why });
    report.interrupted(why);
    // Its words may change with every look at the host.
    if (isTold !== (why !== undefined)) note(why ?? `The host ${host} answers again.`);
    isTold = why !== undefined;
  }

  function note(message: string): void {
    keeper.note(message).catch((error: unknown) => {
      log.warn({ job: keeper.record.id, error: textOf(error) }, "not kept that a job was cut off");
    });
  }

  return {
    waits: tell,
    cut(cut) {
      if (cut === undefined) return tell(undefined);
      const at = now().toISOString();
      tell(
        `The connection to its host ${host} was cut at ${at}, and is made anew as soon as that can be; while the host is up the job goes on there. ${textOf(cut)}`,
      );
      doubt?.(host);
    },
  };
}
