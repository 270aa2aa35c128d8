/** When each loop of the service last went round. */
export type Heartbeats = {
  /** Adds a loop; what it hands back is called on each turn. */
  add(loop: string, limitMs: number): () => void;
  ages(): { readonly loop: string; readonly ageMs: number; readonly limitMs: number }[];
};

/** @param now Milliseconds that only go forward. */
export function createHeartbeats(now: () => number = () => performance.now()): Heartbeats {
  const loops = new Map<string, { readonly limitMs: number; lastMs: number }>();
  return {
    add(loop, limitMs) {
      const beat = { limitMs, lastMs: now() };
      loops.set(loop, beat);
      return () => {
        beat.lastMs = now();
      };
    },
    ages: () =>
      [...loops].map(([loop, { limitMs, lastMs }]) => ({
        loop,
        ageMs: Math.round(now() - lastMs),
        limitMs,
      })),
  };
}
