import type { ExecuteJobDeps, JobResult } from "../../runner/job/execute-job.ts";
import type { JobJournal } from "../store/job-journal.ts";
import type { HostPlaces, PlaceTerms } from "./host-places.ts";
import { tellInterruptions } from "./interruptions.ts";
import type { JobKeeper } from "./job-keeper.ts";
import { clearRemains } from "./lost-leases.ts";
import { patientPlaces } from "./patient-places.ts";
import type { RunJobDeps } from "./run-job.ts";

type OpenPlace = ExecuteJobDeps["openPlace"];

const LOOK_PATIENCE_MS = 30_000;

/** The place of one try of a job, and what is known of it once the try is over. */
export type TryPlace = {
  readonly openPlace: OpenPlace;
  /** Whether any step can have run, in this life or an earlier one. */
  hasBegun(): boolean;
  /** Names the time between two starts of the machine in which the job ran at last, or a later one. */
  bootId(): Promise<string | undefined>;
};

/** Opens the place over cuts of the way to its host, and tells of them. `cancelled` ends a wait for the host. */
export function tryPlace(
  {
    id,
    host,
    journal,
    terms,
    keeper,
  }: {
    readonly id: string;
    readonly host: HostPlaces;
    readonly journal: JobJournal;
    readonly terms: PlaceTerms;
    readonly keeper: JobKeeper;
  },
  deps: Pick<RunJobDeps, "answers" | "doubt" | "report" | "log"> & {
    guard(open: OpenPlace): OpenPlace;
  },
  cancelled: AbortSignal,
): TryPlace {
  const { answers, doubt, report, log } = deps;
  const told = tellInterruptions(keeper, {
    ...{ host: host.name, report, log },
    ...(doubt && { doubt }),
  });
  let hasBegun = journal.checkpoints.length > 0;
  let bootId: Promise<string | undefined> | undefined;

  const guarded = deps.guard(host.openPlace({ ...terms, onCut: told.cut }));
  const open: OpenPlace = async (...asked) => {
    const place = await guarded(...asked);
    hasBegun = true;
    // In the background: the job need not wait for it. Asked only now, it names no time before the container.
    bootId = host.bootId?.();
    return place;
  };
  const openPlace =
    answers === undefined
      ? open
      : patientPlaces(open, {
          ...{ host, answers, cancelled, onWait: told.waits },
          clear: () => clearRemains(host, id),
        });
  return { openPlace, hasBegun: () => hasBegun, bootId: async () => await bootId };
}

/** Its host was lost before anything of the job ran: another may take it as if it had never been there. */
export function isUntouched({ death }: JobResult, place: TryPlace): boolean {
  return !place.hasBegun() && (death === "host-lost" || death === "engine-lost");
}

/** Resolves once a host has answered, or is known not to: before, the same job would be given to it again. */
export async function isLookedAt(
  host: string | undefined,
  { answers }: Pick<RunJobDeps, "answers">,
  signal: AbortSignal,
): Promise<void> {
  if (host === undefined) return;
  const known = new AbortController();
  const until = AbortSignal.any([signal, known.signal, AbortSignal.timeout(LOOK_PATIENCE_MS)]);
  const onProblem = () => known.abort();
  await answers?.(host, { onProblem, signal: until }).catch(() => {}); // whatever it came to, it was looked at
}
