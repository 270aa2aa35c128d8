/** What outputs weigh, as GitHub counts them: UTF-16, two bytes a character. */
export function outputBytes(outputs: { readonly [name: string]: string }): number {
  return Object.entries(outputs).reduce(
    (sum, [name, value]) => sum + 2 * (name.length + value.length),
    0,
  );
}

export const JOB_OUTPUT_LIMIT_BYTES = 1024 * 1024;
export const RUN_OUTPUT_LIMIT_BYTES = 50 * 1024 * 1024;
