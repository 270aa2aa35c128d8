/** A wish to be the only one of a group that runs. */
export type GroupRequest = {
  readonly group: string;
  readonly cancelInProgress: boolean;
  /** `max` lets up to 100 wait in order; `single` only the newest. */
  readonly queue: "single" | "max";
};

/** A place in a group, given up by disposing of it. `cancelled` tells that a newcomer wants it now. */
export type GroupPlace = Disposable & { readonly cancelled: AbortSignal };

type Member = {
  readonly cancel: AbortController;
  /** Called with the place, or with nothing when a newcomer took it. */
  readonly admit: (place: GroupPlace | undefined) => void;
};
type Group = { running?: Member; pending: Member[] };

const MAX_PENDING = 100;

/** Concurrency groups of one repository: at most one member of each runs, names are compared ignoring case. */
export class ConcurrencyGroups {
  readonly #groups = new Map<string, Group>();
  readonly #opened: Promise<void> | undefined;

  /** @param opened Until then only those that are back get in. */
  constructor(opened?: Promise<void>) {
    this.#opened = opened;
  }

  /**
   * Waits for the group's place.
   *
   * @param options `isBack`: it had the place in an earlier life of the service, and has it again though `signal` may be aborted by now.
   * @returns `undefined` when a newcomer took the place in the queue, or `signal` was aborted meanwhile.
   */
  async enter(
    request: GroupRequest,
    signal: AbortSignal,
    { isBack = false }: { readonly isBack?: boolean } = {},
  ): Promise<GroupPlace | undefined> {
    if (!isBack) await this.#opened;
    if (!isBack && signal.aborted) return undefined;
    const key = request.group.toLowerCase();
    const group = this.#groups.get(key) ?? { pending: [] };
    this.#groups.set(key, group);

    const admitted = Promise.withResolvers<GroupPlace | undefined>();
    const member: Member = { cancel: new AbortController(), admit: admitted.resolve };
    if (!group.running) {
      this.#start(key, group, member);
      return await admitted.promise;
    }
    if (signal.aborted) return undefined;
    const maxWaiting = request.queue === "max" ? MAX_PENDING - 1 : 0;
    while (group.pending.length > maxWaiting) group.pending.shift()?.admit(undefined);
    group.pending.push(member);
    if (request.cancelInProgress) group.running.cancel.abort();

    const leave = (): void => {
      group.pending = group.pending.filter((other) => other !== member);
      member.admit(undefined);
    };
    signal.addEventListener("abort", leave, { once: true });
    try {
      return await admitted.promise;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  #start(key: string, group: Group, member: Member): void {
    group.running = member;
    member.admit({
      cancelled: member.cancel.signal,
      [Symbol.dispose]: () => {
        if (group.running !== member) return;
        delete group.running;
        const next = group.pending.shift();
        if (next) this.#start(key, group, next);
        else this.#groups.delete(key);
      },
    });
  }
}
