import type { ExecInPodOptions } from "../containers/pods/exec-in-pod.ts";

/** The terminal that this process writes to. */
export function ownTerminal(): NonNullable<ExecInPodOptions["terminal"]> {
  const { stdout } = process;
  return {
    size: () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 }),
    onResize(listener) {
      stdout.on("resize", listener);
      return () => void stdout.off("resize", listener);
    },
  };
}
