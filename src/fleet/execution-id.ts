/** A container's name in the engine, the journal's folder: another one for each try. */
export function executionId({ id, retries }: { id: string; retries: number }): string {
  return retries === 0 ? id : `${id}.retry${retries}`;
}

/** The job of an execution. */
export function executionJobId(execution: string): string {
  return execution.replace(/\.retry\d+$/, "");
}
