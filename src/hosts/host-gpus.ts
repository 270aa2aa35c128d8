import { setTimeout as sleep } from "node:timers/promises";
import { textOf } from "../../runner/errors.ts";
import { isOwnerAlive, isOwnerKnowable } from "../containers/owner.ts";
import type { WithheldGpu } from "../profiles/capability.ts";
import {
  type ClaimUnit,
  claimGpus,
  type GpuLook,
  type GpuUser,
  type HeldUnit,
  lookAtGpus,
  releaseUnits,
} from "./gpu-claims.ts";
import type { MachineShell } from "./machine-shell.ts";

export type HostGpusOptions = {
  shell(signal: AbortSignal): Promise<MachineShell>;
  /** Whose jobs these are: `service/ID`, or this process as `io.berth.owner` has it. */
  readonly owner: string;
  /** Tells this host from others of the same owner, which may be the same machine. */
  readonly host: string;
  /** Whether an engine, by its id, has containers of a job; `undefined` when it cannot be asked. */
  hasJob(engine: string, job: string, signal: AbortSignal): Promise<boolean | undefined>;
  readonly log: { warn(fields: { [name: string]: unknown }, message: string): void };
  /** Default: `CLAIMS_FOLDER`. */
  readonly folder?: string | undefined;
  /** How long processes of a job may take to end, in milliseconds. */
  readonly endingMs?: number;
};

export type GpuWishes = {
  readonly job: string;
  /** The id of the engine that its containers will be on. */
  readonly engine: string;
  readonly units: readonly ClaimUnit[];
};

/** A job's GPUs until it is disposed of, which never throws; or who is in the way. */
export type GpuHold =
  | (AsyncDisposable & { readonly taken?: undefined })
  | { readonly taken: readonly WithheldGpu[] };

/** GPUs of one machine, as one who runs jobs there sees them. */
export type HostGpus = {
  /**
   * Takes GPUs for a job, against all who use Berth on that machine. The next life of a job has them still. Disposing looks whether processes of
   * the job are left on them, and keeps them from others then.
   *
   * @throws {BerthError} `HOST_UNUSABLE` where no claims can be made; `HOST_UNREACHABLE`.
   */
  claim(wishes: GpuWishes, signal: AbortSignal): Promise<GpuHold>;
  /**
   * Finds out anew which GPUs others have, and frees those of dead owners of which nothing runs any more.
   *
   * @throws {BerthError} `HOST_UNREACHABLE`
   */
  look(signal: AbortSignal): Promise<void>;
  /** What no job may get now, as far as it is known. */
  withheld(): WithheldGpu[];
  /** Keeps GPUs from jobs for a while: what a container got was not what was leased. */
  quarantine(uuids: readonly string[], why: string): void;
};

/** A claim of somebody who cannot be asked counts as left when it is so old and nothing of it runs. */
const STRANGERS_MS = 24 * 3600_000;
/** A GPU that a container did not get is tried again then. */
const UNFIT_MS = 10 * 60_000;
const ENDING_MS = 5000;
const LOOK_AGAIN_MS = 500;

export function hostGpus(options: HostGpusOptions): HostGpus {
  const { owner, host, folder, log } = options;
  const ownBeginning = `${owner}/${host}/`;
  /** Claims whose jobs are in this process's hands. */
  const active = new Set<string>();
  let others: readonly WithheldGpu[] = [];
  const leftOver = new Map<string, string>();
  const unfit = new Map<string, { readonly why: string; readonly untilMs: number }>();

  async function look(signal: AbortSignal): Promise<boolean> {
    const shell = await options.shell(signal);
    const seen = await lookAtGpus(shell, { folder, signal });
    const dead = await deadClaims(seen, signal);
    const freed = dead.length === 0 ? [] : await releaseUnits(shell, dead, { folder });
    for (const { uuid, claim } of freed) {
      log.warn({ host, gpu: uuid, job: claim?.job }, "claim of a dead owner freed");
    }
    const held = seen.held.filter((unit) => !freed.includes(unit));
    others = [...held.filter(({ claim }) => claim?.owner !== owner).map(taken), ...foreign(seen)];
    for (const uuid of seen.users === undefined ? [] : leftOver.keys()) {
      if (usersOn({ uuid }, seen.users).length === 0) leftOver.delete(uuid);
    }
    return freed.length > 0;
  }

  async function deadClaims({ held, users }: GpuLook, signal: AbortSignal): Promise<HeldUnit[]> {
    if (users === undefined) return [];
    const idle = held.filter((unit) => isOwnerGone(unit) && usersOn(unit, users).length === 0);
    const asked = await Promise.all(
      idle.map(async ({ claim }) =>
        claim === undefined ? undefined : await options.hasJob(claim.engine, claim.job, signal),
      ),
    );
    return idle.filter((_, at) => asked[at] === false);
  }

  function isOwnerGone({ claim }: HeldUnit): boolean {
    if (claim === undefined) return false;
    if (claim.id.startsWith(ownBeginning)) return !active.has(claim.id);
    return isOwnerKnowable(claim.owner)
      ? !isOwnerAlive(claim.owner)
      : Date.now() - claim.sinceMs > STRANGERS_MS;
  }

  async function release(hold: AsyncDisposable, { job, units }: GpuWishes): Promise<void> {
    try {
      await watchEnd(job, units);
      await hold[Symbol.asyncDispose]();
    } catch (error) {
      // The next look frees it: it is in nobody's hands.
      log.warn({ host, job, cause: textOf(error) }, "claim not released yet");
    }
  }

  async function watchEnd(job: string, units: readonly ClaimUnit[]): Promise<void> {
    const { endingMs = ENDING_MS } = options;
    const signal = AbortSignal.timeout(endingMs + 60_000);
    const giveUpAt = performance.now() + endingMs;
    for (;;) {
      const { users = [] } = await lookAtGpus(await options.shell(signal), { folder, signal });
      const left = users.filter(({ uuid }) => units.some((unit) => unit.uuid === uuid));
      if (left.length === 0) return;
      if (performance.now() > giveUpAt) {
        for (const { uuid } of left) {
          const why = `is still used by ${listUsers(left, uuid)} after its job ${job} has ended`;
          leftOver.set(uuid, why);
          log.warn({ host, gpu: uuid, job, why }, "GPU withheld");
        }
        return;
      }
      await sleep(LOOK_AGAIN_MS);
    }
  }

  /** What this process keeps from jobs. */
  function kept(): WithheldGpu[] {
    for (const [uuid, { untilMs }] of unfit) if (performance.now() > untilMs) unfit.delete(uuid);
    return [
      ...[...unfit].map(([uuid, { why }]) => ({ uuid, why })),
      ...[...leftOver].map(([uuid, why]) => ({ uuid, why })),
    ];
  }

  return {
    async claim(wishes, signal) {
      // The last job of a GPU may have left it in use a moment ago.
      const inTheWay = kept().filter(({ uuid }) =>
        wishes.units.some((unit) => unit.uuid === uuid || unit.gpu === uuid),
      );
      if (inTheWay.length > 0) return { taken: inTheWay };
      const id = `${ownBeginning}${wishes.job}`;
      const claim = { id, owner, engine: wishes.engine, job: wishes.job };
      const take = async () =>
        await claimGpus(await options.shell(signal), {
          ...{ claim, units: wishes.units, folder, signal },
        });
      active.add(id);
      try {
        let answer = await take();
        if (answer.kind === "taken" && (await look(signal))) answer = await take();
        if (answer.kind === "taken") {
          active.delete(id);
          const by = answer.by.map(taken);
          others = [...others.filter(({ uuid }) => !by.some((one) => one.uuid === uuid)), ...by];
          return { taken: by };
        }
        const hold = answer;
        return {
          async [Symbol.asyncDispose]() {
            await release(hold, wishes);
            active.delete(id);
          },
        };
      } catch (error) {
        active.delete(id);
        throw error;
      }
    },
    look: async (signal) => void (await look(signal)),
    withheld: () => [...kept(), ...others],
    quarantine(uuids, why) {
      const untilMs = performance.now() + UNFIT_MS;
      for (const uuid of uuids) unfit.set(uuid, { why, untilMs });
      log.warn({ host, gpus: uuids, why }, "GPU withheld");
    },
  };
}

/** Units to claim, by UUID, of a machine's GPUs. */
export function unitsToClaim(
  uuids: readonly string[],
  gpus: readonly { readonly uuid: string | null; readonly mig: readonly { uuid: string }[] }[],
): ClaimUnit[] {
  return uuids.map((uuid) => {
    const gpu = gpus.find(({ mig }) => mig.some((slice) => slice.uuid === uuid))?.uuid;
    return { uuid, ...(gpu != null && { gpu }) };
  });
}

/** Processes on GPUs that nobody has claimed. */
function foreign({ held, wereHeld, users = [] }: GpuLook): WithheldGpu[] {
  const claimed = new Set([...held, ...wereHeld].flatMap(({ uuid, gpu = uuid }) => [uuid, gpu]));
  const used = new Set(users.map(({ uuid }) => uuid).filter((uuid) => !claimed.has(uuid)));
  return [...used].map((uuid) => ({
    uuid,
    why: `is used by ${listUsers(users, uuid)}, of no job`,
  }));
}

function usersOn(
  { uuid, gpu = uuid }: ClaimUnit,
  users: readonly GpuUser[] | undefined = [],
): GpuUser[] {
  return users.filter((user) => user.uuid === uuid || user.uuid === gpu);
}

function listUsers(users: readonly GpuUser[], uuid: string): string {
  const [first, ...more] = usersOn({ uuid }, users);
  if (first === undefined) return "a process";
  const name = first.program.split("/").pop()?.slice(0, 60) || "a program";
  return `${name} (process ${first.pid})${more.length === 0 ? "" : ` and ${more.length} more`}`;
}

function taken({ uuid, claim, text }: HeldUnit): WithheldGpu {
  return { uuid, why: claim === undefined ? `is set aside: ${shown(text)}` : byWhom(claim) };
}

/** Anybody on the machine may have written it, and it goes to terminals. */
function shown(text: string): string {
  return text.replace(/\p{Cc}/gu, "?").slice(0, 80);
}

function byWhom({ owner, job }: { readonly owner: string; readonly job: string }): string {
  const [, machine, pid] = /^(.*):(\d+):[^:]*$/.exec(owner) ?? [];
  const who =
    machine === undefined ? "of another Berth service" : `of process ${pid} of ${shown(machine)}`;
  return `is claimed by ${shown(job)} ${who}`;
}
