import { expect, it } from "@jest/globals";
import { BerthError } from "../../../runner/errors.ts";
import { openLocalPlace } from "../../../runner/job/local-place.ts";
import type { Siblings } from "../../../runner/job/siblings.ts";
import { aJob, ex, mapping, run } from "./job-fixture.ts";

const SERVICES = mapping({
  db: mapping({
    image: "postgres",
    credentials: mapping({ username: "me", password: "not-to-be-seen" }),
  }),
});

/** Runs a job with one service on this machine, where only the service is not real. */
async function runWith(
  startServices: Siblings["startServices"],
  script = "true",
  signal = new AbortController().signal,
) {
  const done: string[] = [];
  const job = aJob(
    [
      { run: ex(`format('${script}; echo port {0}', job.services.db.ports[5432])`) },
      { run: "echo always", if: "always()" },
    ],
    { services: SERVICES },
  );
  const siblings = {
    startServices(...[services, options]: Parameters<Siblings["startServices"]>) {
      done.push(`start ${services.map(({ id }) => id)}`);
      return startServices(services, options);
    },
    async stopServices() {
      done.push("stop");
    },
  };
  const ran = await run(job, {
    signal,
    async openPlace(request, place) {
      const opened = await openLocalPlace(request, { ...place, env: process.env });
      // The other siblings are docker actions', and this job has none.
      return { ...opened, siblings: siblings as unknown as Siblings };
    },
  });
  const steps = ran.events.flatMap((event) =>
    event.type === "step_finished" ? [`${event.stepName.split("\n")[0]}: ${event.conclusion}`] : [],
  );
  const lines = ran.events.flatMap((event) => (event.type === "log" ? [event.line] : []));
  return { ...ran, done, stepNames: steps, lines };
}

it("starts services before the steps, tells their ports, and stops them after", async () => {
  const { result, done, lines, stepNames } = await runWith(async () => ({
    db: { id: "container", network: "net", ports: { 5432: "49153" } },
  }));

  expect([result.conclusion, done]).toEqual(["success", ["start db", "stop"]]);
  expect(lines).toContain("port 49153");
  expect(stepNames.map((name) => name.split(":")[0])).toEqual([
    "Set up job",
    "Initialize containers",
    expect.stringContaining("Run"),
    "Run echo always",
    "Stop containers",
    "Complete job",
  ]);
});

it("fails the job when a service fails; what runs always still does, and services are stopped", async () => {
  const { result, done, stepNames, annotations } = await runWith(async () => {
    throw new BerthError("SERVICE_FAILED", { message: "One or more containers failed to start." });
  });

  expect([result.conclusion, done]).toEqual(["failure", ["start db", "stop"]]);
  expect(annotations).toEqual(["error: One or more containers failed to start."]);
  expect(stepNames).toContain("Initialize containers: failure");
  expect(stepNames).toContain("Run echo always: success");
  expect(stepNames).toContain("Stop containers: success");
});

it("stops starting when the job is cancelled", async () => {
  const cancel = new AbortController();
  const starting: Siblings["startServices"] = (_services, { signal }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
      cancel.abort();
    });

  const { result, done, stepNames } = await runWith(starting, "true", cancel.signal);

  expect([result.conclusion, done]).toEqual(["cancelled", ["start db", "stop"]]);
  expect(stepNames).toContain("Initialize containers: cancelled");
});

it("masks the password of a service's registry", async () => {
  const { lines } = await runWith(
    async () => ({ db: { id: "container", network: "net", ports: {} } }),
    "echo it is not-to-be-seen",
  );

  expect(lines).toContain("it is ***");
});

it("refuses services where there is no engine", async () => {
  const { result, annotations } = await run(aJob([{ run: "echo no" }], { services: SERVICES }));

  expect(result.conclusion).toBe("failure");
  expect(annotations.join()).toContain("This job has services (db), and no container engine");
});
