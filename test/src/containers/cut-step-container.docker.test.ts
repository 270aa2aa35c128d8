import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { connectEngine } from "../../../src/containers/connect-engine.ts";
import { openJobPlace } from "../../../src/containers/job-place.ts";
import { stepContainers } from "../../../src/containers/step-container.ts";
import { findLeftovers, testEngine } from "../../engine.ts";
import { type EngineProxy, startEngineProxy } from "../../engine-proxy.ts";
import { tinyImage } from "./tiny-image.ts";

const IMAGE = `berth-test/cut-step-${process.pid}:latest`;
const job = { jobId: `cut-step-${randomUUID()}`, runId: `run-${process.pid}`, repository: "repo" };
const never = new AbortController().signal;
const stack = new AsyncDisposableStack();
const onLeak = (leak: unknown) => console.error("left behind", leak);
let proxy: EngineProxy;
let run: (
  script: string,
  onLine: (line: string) => void,
) => Promise<{ code: number; said: string }>;

beforeAll(async () => {
  const { docker } = await testEngine();
  proxy = stack.use(await startEngineProxy());
  stack.use(await tinyImage(docker, IMAGE));
  const place = stack.use(
    await openJobPlace(
      docker,
      { ...job, labels: [] },
      { image: IMAGE, shellArgv: [], hostName: "here", progress() {}, onLeak, signal: never },
    ),
  );
  const near = await connectEngine({
    ...{ endpoint: proxy.endpoint, env: {}, home: "/nonexistent", uid: 0 },
    stateDir: "/nonexistent",
  });
  const steps = stepContainers(near.docker, { ...job, containerId: place.containerId, onLeak });
  run = async (script, onLine) => {
    const key = randomUUID();
    let said = "";
    const onOutput = (chunk: Buffer) => {
      said += chunk;
      for (const line of chunk.toString().split("\n")) onLine(line);
    };
    const spec = { image: IMAGE, entrypoint: "/bin/sh", args: ["-c", script], env: {} };
    const { exitCode } = await steps.runContainer(spec, {
      ...{ key, onOutput, signal: never, kill: never },
    });
    await steps.removeContainer(key);
    return { code: exitCode, said };
  };
}, 60_000);
afterAll(async () => {
  await stack.disposeAsync();
  expect(await findLeftovers(job.jobId)).toEqual([]);
});

const LINES = "i=0; while [ $i -lt 60 ]; do i=$((i + 1)); echo line $i; sleep 0.02; done";
const said = Array.from({ length: 60 }, (_, index) => `line ${index + 1}\n`).join("");

it("is heard to its end, each line once, over connections that are cut", async () => {
  const { code, said: heard } = await run(`${LINES}; exit 7`, (line) => {
    if (line === "line 10" || line === "line 40") setImmediate(proxy.drop);
  });

  expect({ code, heard }).toEqual({ code: 7, heard: said });
});

it("is heard to its end when its engine cannot be reached for a while, and when it ends meanwhile", async () => {
  const { code, said: heard } = await run(`${LINES}; exit 3`, (line) => {
    if (line !== "line 30") return;
    proxy.cut();
    setTimeout(proxy.mend, 1500);
  });

  expect({ code, heard }).toEqual({ code: 3, heard: said });
}, 20_000);
