import { type RunningJob, runCommand } from "./running-job.ts";

/**
 * Kills what steps left behind: every process that still carries the job's tracking id. Gives back whom, for the log.
 *
 * @param listFile where the shell notes them down; made and removed by the command.
 */
export async function endOrphans(
  running: RunningJob,
  listFile: string,
): Promise<{ pid: string; name: string }[]> {
  const result = await runCommand(
    running,
    {
      argv: ["sh", "-c", KILL_TRACKED, "sh", `RUNNER_TRACKING_ID=${running.trackingId}`, listFile],
      cwd: "/",
      env: {},
      collect: [{ path: listFile, limitBytes: 65_536 }],
    },
    { onOutput: () => undefined },
  );

  const list = result.files[listFile]?.content.toString() ?? "";
  return list
    .split("\n")
    .filter(Boolean)
    .map((line) => {
      const blank = line.indexOf(" ");
      return { pid: line.slice(0, blank), name: line.slice(blank + 1) };
    });
}

/**
 * Where grep reads NUL-terminated lines, one call looks through all processes; busybox's does not. The list goes through a
 * file, since an orphan may still be printing.
 */
const KILL_TRACKED = `{
if printf 'a\\0b' | grep -qzx b 2>/dev/null; then
  found=$(grep -lzxFe "$1" /proc/[0-9]*/environ 2>/dev/null)
else
  found=$(for file in /proc/[0-9]*/environ; do
    tr '\\0' '\\n' < "$file" 2>/dev/null | grep -qxFe "$1" && echo "$file"
  done)
fi
for file in $found; do
  pid=\${file#/proc/}
  pid=\${pid%/environ}
  name=
  read -r name < "/proc/$pid/comm"
  kill -KILL "$pid" && echo "$pid $name" >> "$2"
done
} 2>/dev/null
exit 0
`;
