import { checkRunPayload, checkSuitePayload } from "./check-payload.ts";
import { type CheckRun, type CheckSuite, runsOfSuite } from "./checks.ts";
import { emit } from "./emit.ts";
import type { Account, Hub } from "./hub.ts";

/** Tells of a check run; of its suite too, when this was the last one that it waited for. */
export function emitCheckRun(
  hub: Hub,
  run: CheckRun,
  action: "created" | "completed" | "rerequested" | "requested_action",
  sender: Account,
  identifier?: string,
): void {
  const { repository, suite } = run;
  emit(hub, {
    event: "check_run",
    action,
    repository,
    sender,
    fields: {
      check_run: checkRunPayload(hub, run),
      ...(identifier !== undefined && { requested_action: { identifier } }),
    },
  });
  if (action !== "completed") return;
  const isDone = runsOfSuite(hub, suite).every(({ status }) => status === "completed");
  if (isDone) emitCheckSuite(hub, suite, "completed", sender);
}

export function emitCheckSuite(
  hub: Hub,
  suite: CheckSuite,
  action: "requested" | "rerequested" | "completed",
  sender: Account,
): void {
  const fields = { check_suite: checkSuitePayload(hub, suite) };
  emit(hub, { event: "check_suite", action, repository: suite.repository, sender, fields });
}
