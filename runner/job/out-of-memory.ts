import { type RunningJob, runCommand } from "./running-job.ts";

/** Of both generations of control groups; a container sees its own, if any. */
const COUNTERS = ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"];

/**
 * Whether the kernel has ended a process of the job's container for want of memory since this was asked last. The container's own
 * counter is read, since the engine's event may come after the step's end.
 */
export async function ranOutOfMemory(running: RunningJob): Promise<boolean> {
  if (running.place.containerId === undefined) return false;
  const printed: Buffer[] = [];
  const { notes } = await runCommand(
    running,
    { argv: ["cat", ...COUNTERS], cwd: "/", env: {} },
    {
      onOutput: (chunk) => void printed.push(chunk),
      notes: () => Number(/^oom_kill (\d+)$/m.exec(Buffer.concat(printed).toString())?.[1] ?? 0),
    },
  );
  return typeof notes === "number" && running.state.countOutOfMemory(notes);
}
