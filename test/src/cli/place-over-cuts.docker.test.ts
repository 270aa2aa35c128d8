import { expect, it } from "@jest/globals";
import { BerthError } from "../../../runner/errors.ts";
import type { ExecuteJobDeps } from "../../../runner/job/execute-job.ts";

import { placeOverCuts, probeOverCuts } from "../../../src/cli/place-over-cuts.ts";
import { JOB_LABEL } from "../../../src/containers/labels.ts";
import { findLeftovers, testEngine } from "../../engine.ts";
import { aMachine } from "../hosts/host-facts.ts";

type OpenPlace = ExecuteJobDeps["openPlace"];

const JOB = `test-over-cuts-${process.pid}`;
const request = { jobId: JOB } as Parameters<OpenPlace>[0];
const place = {} as Awaited<ReturnType<OpenPlace>>;
const farAway = { name: "far", onChange: () => ({ [Symbol.dispose]() {} }) };
const cut = new BerthError("ENGINE_LOST", { message: "The connection broke." });

function opening(said: string[] = []): Parameters<OpenPlace>[1] {
  return {
    journal: undefined,
    progress: (line) => said.push(line),
    placed: () => {},
    signal: new AbortController().signal,
  };
}

it("makes a place once more when the connection was cut, without what was there of the first", async () => {
  const { docker } = await testEngine();
  const said: string[] = [];
  const found: string[][] = [];
  const open: OpenPlace = async () => {
    found.push(await findLeftovers(JOB));
    if (found.length > 1) return place;
    await docker.createVolume({ Name: JOB, Labels: { [JOB_LABEL]: JOB } });
    throw cut;
  };

  const made = await placeOverCuts(open, { access: farAway, docker })(request, opening(said));

  expect(made).toBe(place);
  expect(found).toEqual([[], []]);
  expect(said).toEqual([
    expect.stringContaining("Waits for the host far to answer: The connection broke."),
    expect.stringContaining("made once more"),
  ]);
});

it("does not try again what no connection can mend, or what has none", async () => {
  const { docker } = await testEngine();
  const missing = new BerthError("IMAGE_NOT_FOUND", { message: "There is no such image." });
  const fails =
    (error: Error): OpenPlace =>
    () =>
      Promise.reject(error);
  const here = { name: "here" };

  const noImage = placeOverCuts(fails(missing), { access: farAway, docker });
  const noEngine = placeOverCuts(fails(cut), { access: here, docker });

  await expect(noImage(request, opening())).rejects.toBe(missing);
  await expect(noEngine(request, opening())).rejects.toBe(cut);
});

it("looks at a machine once more when the connection was cut meanwhile", async () => {
  const lost = new BerthError("HOST_UNREACHABLE", { message: "The connection was lost." });
  const facts = aMachine();
  const { signal } = new AbortController();
  const answers = [Promise.reject(lost), Promise.resolve(facts)];
  const probe = () => answers.shift() ?? Promise.reject(lost);

  const seen = await probeOverCuts({ ...farAway, probe }, signal);

  expect(seen).toBe(facts);
  await expect(probeOverCuts({ ...farAway, probe }, signal)).rejects.toBe(lost);
});
