/** A moment as GitHub's logs write it, UTC with seven digits: `2026-08-20T12:34:56.1234567Z`. */
export function timestamp(
  msSince1970: number = performance.timeOrigin + performance.now(),
): string {
  const ms = Math.floor(msSince1970);
  const below = Math.floor((msSince1970 - ms) * 10_000);
  return `${new Date(ms).toISOString().slice(0, -1)}${String(below).padStart(4, "0")}Z`;
}
