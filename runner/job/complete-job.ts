import { evaluateTemplate, type Scope, toText } from "../expressions/evaluate.ts";
import type { Json, Template } from "../expressions/template.ts";
import type { StepLog } from "../logs/step-log.ts";
import { endOrphans } from "./end-orphans.ts";
import { messageOf } from "./job-end.ts";
import type { JobUsage } from "./job-event.ts";
import { readUsage } from "./read-usage.ts";
import { type RunningJob, stepContexts } from "./running-job.ts";

/** In UTF-16, as GitHub counts. */
const OUTPUTS_LIMIT_BYTES = 1 << 20;

/** "Complete job": the job's outputs, its environment's url, the end of what steps left running, and what all of it took. */
export async function completeJob(
  running: RunningJob,
): Promise<{ readonly outputs: { [name: string]: string }; readonly usage?: JobUsage }> {
  const { state, report, job } = running;
  const step = report.startStep("Complete job");
  const { log } = step;
  let problem: string | undefined;
  let outputs: { [name: string]: string } = {};
  let usage: JobUsage | undefined;
  try {
    try {
      outputs = await readOutputs(running, log);
    } catch (error) {
      problem = `Fail to evaluate job outputs. ${messageOf(error)}`;
      log.annotate({ level: "error", message: problem });
      state.fail();
    }
    await readEnvironmentUrl(job.environment, running, log);

    log.write("Cleaning up orphan processes");
    const list = `${running.place.paths.temp}/_orphans_${running.nextNumber()}`;
    for (const { pid, name } of await endOrphans(running, list)) {
      log.write(`Terminate orphan process: pid (${pid}) (${name})`);
    }
    usage = await readUsage(running);
  } catch (error) {
    throw await running.end(error, step);
  }
  const conclusion = problem === undefined ? "success" : "failure";
  step.finished(conclusion, conclusion);
  return { outputs, ...(usage && { usage }) };
}

function scopeOf(running: RunningJob): Scope {
  const contexts = stepContexts(running, { env: running.state.env, github: running.github });
  return { contexts };
}

async function readOutputs(running: RunningJob, log: StepLog): Promise<{ [name: string]: string }> {
  const { masker, job } = running;
  if (job.outputs === undefined) return {};
  log.write("Evaluate and set job outputs");
  const outputs: { [name: string]: string } = {};
  let sizeBytes = 0;
  for (const [name, value] of Object.entries(
    asMapping(await evaluateTemplate(job.outputs, scopeOf(running))),
  )) {
    const text = toText(value);
    if (text === "") {
      log.debug(`Skip output '${name}' since it's empty`);
      continue;
    }
    if (masker.mask(text) !== text) {
      const message = `Skip output '${name}' since it may contain secret.`;
      log.annotate({ level: "warning", message });
      continue;
    }
    sizeBytes += 2 * (name.length + text.length);
    if (sizeBytes > OUTPUTS_LIMIT_BYTES) {
      throw new Error(
        `The outputs of a job may take 1 MiB; with '${name}' these take ${sizeBytes} bytes. Pass large data in files.`,
      );
    }
    outputs[name] = text;
    log.write(`Set output '${name}'`);
  }
  return outputs;
}

async function readEnvironmentUrl(
  template: Template | undefined,
  running: RunningJob,
  log: StepLog,
): Promise<void> {
  const isMapping = template !== null && typeof template === "object" && "map" in template;
  const urlTemplate = isMapping ? template.map.find(([key]) => key === "url")?.[1] : undefined;
  if (!isMapping || urlTemplate === undefined) return;

  log.write("Evaluate and set environment url");
  const scope = scopeOf(running);
  const { secrets: _, ...contexts } = scope.contexts;
  try {
    const url = toText(await evaluateTemplate(urlTemplate, { contexts }));
    const nameTemplate = template.map.find(([key]) => key === "name")?.[1] ?? null;
    const name = toText(await evaluateTemplate(nameTemplate, { contexts }));
    if (running.masker.mask(url) === url) log.write(`Evaluated environment url: ${url}`);
    else {
      const message = `Skip setting environment url as environment '${name}' may contain secret.`;
      log.annotate({ level: "warning", message });
    }
  } catch (error) {
    log.annotate({
      level: "error",
      message: `Fail to evaluate environment url. ${messageOf(error)}`,
    });
    running.state.fail();
  }
}

function asMapping(value: Json): { readonly [key: string]: Json } {
  const isMapping = value !== null && typeof value === "object" && !Array.isArray(value);
  return isMapping ? (value as { readonly [key: string]: Json }) : {};
}
