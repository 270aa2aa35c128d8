import type { SetupFacts } from "./setup-facts.ts";
import type { PlanStep } from "./setup-plan.ts";

/** An engine limits its containers through control groups; a machine without an init system may not have mounted them. */
export function mountControlGroups(facts: Pick<SetupFacts, "sudo">): PlanStep {
  const sudo = facts.sudo === "root" ? "" : "sudo ";
  return {
    part: "docker",
    name: "Mount control groups",
    why: "An engine cannot run a container without them.",
    changes: "/sys/fs/cgroup is mounted until the next boot",
    sudo: sudo !== "",
    commands: [`${sudo}mount -t cgroup2 cgroup2 /sys/fs/cgroup`],
    check: "grep -Eq ' - cgroup2? ' /proc/self/mountinfo",
    verified: "/proc/self/mountinfo has a mount of type cgroup or cgroup2",
  };
}
