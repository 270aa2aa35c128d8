import type { z } from "zod";
import { BerthError } from "../../runner/errors.ts";
import type { DeliveryRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import type { Hearing } from "./open-hearing.ts";
import {
  CheckRunPayload,
  CheckSuitePayload,
  describeIssues,
  InstallationPayload,
  isTrigger,
  isUsed,
  TriggerPayload,
  WorkflowJobPayload,
  WorkflowRunPayload,
} from "./payloads.ts";
import { readJobEvent } from "./read-github-job.ts";

export type HandleDeps = {
  readonly triggers: Pick<Store["triggers"], "add">;
  readonly hearing: Pick<Hearing, "job" | "event">;
  /** Ours: buttons of other Apps' checks are not for us. */
  readonly appId: number;
};

/**
 * Makes of a delivery what it means here; twice is as good as once.
 *
 * @throws {BerthError} `INPUT_INVALID` for a payload that lacks what its event must have: trying again is no use.
 */
export async function handleDelivery(delivery: DeliveryRecord, deps: HandleDeps): Promise<void> {
  const { event, action } = delivery;
  if (!isUsed(event, action)) return;
  if (isTrigger(event)) await keepTrigger(delivery, deps);
  switch (event) {
    case "workflow_job":
      return await hearJob(delivery, deps);
    case "workflow_run":
      return await hearRun(delivery, deps);
    case "check_run":
      return await hearCheckRun(delivery, deps);
    case "check_suite":
      return await hearCheckSuite(delivery, deps);
    case "installation":
    case "installation_repositories": {
      const { installation } = parse(InstallationPayload, delivery);
      return await deps.hearing.event({ type: "installation", installationId: installation.id });
    }
  }
}

async function keepTrigger(delivery: DeliveryRecord, { triggers }: HandleDeps): Promise<void> {
  const { id, event, receivedAtMs } = delivery;
  const { repository } = parse(TriggerPayload, delivery);
  // GitHub adds it for the App's sake; `github.event` has none.
  const { installation: _, ...payload } = delivery.payload;
  await triggers.add({
    ...{ deliveryId: id, event, repositoryId: repository.id, payload, receivedAtMs },
  });
}

async function hearJob(delivery: DeliveryRecord, { hearing }: HandleDeps): Promise<void> {
  const told = readJobEvent(parse(WorkflowJobPayload, delivery));
  if (told) await hearing.job(told);
}

async function hearRun(delivery: DeliveryRecord, { hearing }: HandleDeps): Promise<void> {
  const { action, workflow_run: run, repository, sender } = parse(WorkflowRunPayload, delivery);
  if (action !== "completed" || run.conclusion !== "cancelled") return;
  await hearing.event({
    type: "run_cancelled",
    ...{ repository: repository.full_name, githubRunId: run.id, attempt: run.run_attempt },
    by: { login: sender.login, isBot: sender.type === "Bot" },
    atMs: Date.parse(run.updated_at),
  });
}

async function hearCheckRun(delivery: DeliveryRecord, deps: HandleDeps): Promise<void> {
  const { appId, hearing } = deps;
  const payload = parse(CheckRunPayload, delivery);
  const { check_run: check, requested_action: button } = payload;
  if (check.app?.id !== appId) return;
  const repository = payload.repository.full_name;
  const of = { repository, checkRunId: check.id, by: payload.sender.login };
  if (payload.action === "rerequested") {
    await hearing.event({ type: "check_rerequested", headSha: check.head_sha, ...of });
  } else if (button) {
    await hearing.event({ type: "check_action", identifier: button.identifier, ...of });
  }
}

async function hearCheckSuite(delivery: DeliveryRecord, deps: HandleDeps): Promise<void> {
  const { check_suite: suite, repository, sender } = parse(CheckSuitePayload, delivery);
  if (suite.app?.id !== deps.appId) return;
  await deps.hearing.event({
    type: "check_rerequested",
    ...{ repository: repository.full_name, headSha: suite.head_sha, by: sender.login },
  });
}

function parse<Schema extends z.ZodType>(
  schema: Schema,
  { id, event, payload }: DeliveryRecord,
): z.infer<Schema> {
  const { success, data, error } = schema.safeParse(payload);
  if (success) return data;
  throw new BerthError("INPUT_INVALID", {
    message: `The payload of delivery ${id} (${event}) is not complete: ${describeIssues(error)}.`,
    cause: error,
  });
}
