/** A record as its column holds it. `undefined` fields are left out. */
export function toColumn(record: object): string {
  return JSON.stringify(record);
}

/** The record of a row that a table of ours has written; `undefined` where there is no row. */
export function fromColumn<T>(row: { readonly [column: string]: unknown } | undefined) {
  return row === undefined ? undefined : (JSON.parse(String(row.record)) as T);
}

export function fromColumns<T>(rows: readonly { readonly [column: string]: unknown }[]): T[] {
  return rows.map((row) => JSON.parse(String(row.record)) as T);
}
