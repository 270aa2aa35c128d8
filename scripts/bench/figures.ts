type Figure = { what: string; value: number; unit: string; budget?: string; holds?: boolean };

/** What was measured, told on stderr as it comes. */
export type Figures = {
  readonly list: readonly Figure[];
  /** `limit` is the largest value that holds. */
  note(what: string, value: number, unit: string, limit?: number): void;
  /** As a table in Markdown. */
  table(): string;
};

export function createFigures(): Figures {
  const list: Figure[] = [];
  return {
    list,
    note(what, value, unit, limit) {
      const budget =
        limit === undefined ? undefined : `≤ ${limit.toFixed(limit < 1 ? 3 : 1)} ${unit}`;
      list.push({
        what,
        value,
        unit,
        ...(budget && limit !== undefined && { budget, holds: value <= limit }),
      });
      console.error(`${what}: ${value.toFixed(2)} ${unit}`);
    },
    table: () => table(list),
  };
}

/** Of `times` measurements, after one that warms caches. */
export async function median(times: number, measure: () => Promise<number>): Promise<number> {
  await measure();
  const values: number[] = [];
  for (let n = 0; n < times; n++) values.push(await measure());
  return middle(values);
}

/** The medians of two measurements that take turns, so that what else the machine does hits both. */
export async function medians(
  times: number,
  [one, other]: readonly [() => Promise<number>, () => Promise<number>],
): Promise<readonly [number, number]> {
  await one();
  await other();
  const pairs: (readonly [number, number])[] = [];
  for (let n = 0; n < times; n++) pairs.push([await one(), await other()]);
  return [middle(pairs.map(([value]) => value)), middle(pairs.map(([, value]) => value))];
}

export function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function table(figures: readonly Figure[]): string {
  const rows = figures.map(({ what, value, unit, budget, holds }) => {
    const verdict = holds === undefined ? "" : holds ? "holds" : "MISSED";
    return `| ${what} | ${value.toFixed(2)} ${unit} | ${budget ?? ""} | ${verdict} |`;
  });
  return ["| what | median | budget | |", "|---|---|---|---|", ...rows].join("\n");
}
