import { readFile } from "node:fs/promises";
import { runCommand } from "./run-command.ts";
import type { SetupStep } from "./setup-step.ts";

/** An engine limits its containers through control groups; a machine without an init system may not have mounted them. */
export function mountControlGroups(): SetupStep {
  const argv = ["mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup"] as const;
  return {
    name: "Mount control groups",
    why: "An engine cannot run a container without them.",
    commands: [argv.join(" ")],
    async isDone() {
      const mounts = await readFile("/proc/self/mountinfo", "utf8");
      return / - cgroup2? /.test(mounts);
    },
    async apply({ signal, progress }) {
      await runCommand(argv, { signal, onLine: progress });
    },
  };
}
