/** At most so many jobs at once. */
export type Limits = {
  readonly perRepository?: number | undefined;
  readonly perOrganisation?: number | undefined;
};

/** What a repository or an organisation has of the hosts. */
export type Share = {
  readonly name: string;
  running: number;
  /** Places within its limit that are kept for jobs of it that have waited long. */
  kept: number;
};

export type Shares = { readonly repository: Share; readonly organisation: Share };

/** Counts what repositories and their organisations have. */
export class ShareBook {
  readonly #repositories = new Map<string, Share>();
  readonly #organisations = new Map<string, Share>();

  /** Of `OWNER/NAME`, which is the same in any case. */
  of(repository: string): Shares {
    const name = repository.toLowerCase();
    return {
      repository: shareIn(this.#repositories, { key: name, name: repository }),
      organisation: shareIn(this.#organisations, {
        key: name.split("/", 1)[0] ?? "",
        name: repository.split("/", 1)[0] ?? "",
      }),
    };
  }
}

/** Whether a limit lets no further job run now; `forKept` is one that has a place kept. */
export function isLimited(
  { repository, organisation }: Shares,
  { perRepository = Infinity, perOrganisation = Infinity }: Limits,
  { forKept }: { forKept: boolean },
): boolean {
  return forKept
    ? repository.running >= perRepository || organisation.running >= perOrganisation
    : repository.running + repository.kept >= perRepository ||
        organisation.running + organisation.kept >= perOrganisation;
}

export function change(
  { repository, organisation }: Shares,
  what: "running" | "kept",
  by: 1 | -1,
): void {
  repository[what] += by;
  organisation[what] += by;
}

function shareIn(shares: Map<string, Share>, { key, name }: { key: string; name: string }): Share {
  const known = shares.get(key);
  if (known !== undefined) return known;
  const share = { name, running: 0, kept: 0 };
  shares.set(key, share);
  return share;
}
