import type { JobUsage } from "./job-event.ts";
import { type RunningJob, runCommand } from "./running-job.ts";

/**
 * What the job's container has taken so far, from the counters of its own control group; nothing of a job without a container. A counter
 * that the kernel does not have is left out.
 */
export async function readUsage(running: RunningJob): Promise<JobUsage | undefined> {
  if (running.place.containerId === undefined) return undefined;
  const printed: Buffer[] = [];
  const { notes } = await runCommand(
    running,
    { argv: ["sh", "-c", READ], cwd: "/", env: {} },
    {
      onOutput: (chunk) => void printed.push(chunk),
      notes: () => parseUsage(Buffer.concat(printed).toString()),
    },
  );
  return notes as JobUsage;
}

/**
 * Both generations of control groups. In the second one only groups below the root have `cgroup.type`: without it these are the whole machine's
 * counters.
 */
const READ = `cd /sys/fs/cgroup 2>/dev/null || exit 0
if [ -e cgroup.type ]; then
  read -r n 2>/dev/null <memory.peak && echo "peak $n"
  while read -r name n; do [ "$name" != usage_usec ] || echo "us $n"; done 2>/dev/null <cpu.stat
elif [ ! -e cgroup.controllers ]; then
  read -r n 2>/dev/null <memory/memory.max_usage_in_bytes && echo "peak $n"
  read -r n 2>/dev/null <cpuacct/cpuacct.usage && echo "ns $n"
fi
exit 0`;

function parseUsage(text: string): JobUsage {
  const counter = (name: string) => {
    const digits = new RegExp(`^${name} (\\d{1,18})$`, "m").exec(text)?.[1];
    return digits === undefined ? undefined : Number(digits);
  };
  const peakMemoryBytes = counter("peak");
  const [us, ns] = [counter("us"), counter("ns")];
  const cpuSeconds = us === undefined ? ns && ns / 1e9 : us / 1e6;
  return {
    ...(peakMemoryBytes !== undefined && { peakMemoryBytes }),
    ...(cpuSeconds !== undefined && { cpuSeconds }),
  };
}
