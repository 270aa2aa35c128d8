import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { contentHash } from "../../../runner/image/job-image.ts";
import { thisMachine } from "../../../src/cli/this-machine.ts";
import { connectEngine, type Engine } from "../../../src/containers/connect-engine.ts";
import { provideImage } from "../../../src/hosts/engine-images.ts";
import { examineMachine } from "../../../src/hosts/examine-machine.ts";
import { type Machine, prepareImages } from "../../../src/hosts/prepare-machine.ts";
import { applySetup, type SetupEvent } from "../../../src/hosts/setup-step.ts";

const signal = new AbortController().signal;
const connect = thisMachine({});

describe("a machine that is made ready", () => {
  let machine: Machine;

  beforeAll(async () => {
    const engine = await connectEngine(connect);
    machine = await prepareImages(engine, [], { connect, report: () => {}, signal });
  }, 300_000);

  it("lacks nothing afterwards", async () => {
    const findings = await examineMachine(connect, signal);

    expect(findings.filter(({ ok }) => !ok)).toEqual([]);
  });

  it("is left alone the second time", async () => {
    const types = new Set<SetupEvent["type"]>();

    await prepareImages(machine.engine, [], { connect, report: (e) => types.add(e.type), signal });

    expect([...types]).toEqual(["step_present"]);
  });

  it("has a job image with what jobs expect, for a user 1001 who may use sudo", async () => {
    const programs = "bash git curl jq python3 tar zstd xz unzip ssh sudo";

    const lines = await run(
      machine,
      `id -un; id -u; sudo -n id -u; echo $LANG; pwd
      for program in ${programs}; do command -v $program >/dev/null || echo $program is missing; done
      test -s /etc/ssl/certs/ca-certificates.crt || echo no certificates
      grep -rqs debian /etc/apt/sources.list /etc/apt/sources.list.d || echo no apt sources`,
    );

    expect(lines).toEqual(["runner", "1001", "0", "C.UTF-8", "/home/runner"]);
  });

  it("has Node 20 and 24 in a volume that jobs cannot write", async () => {
    const [twenty, twentyFour, refusal] = await run(
      machine,
      "for n in 20 24; do /__e/node$n/bin/node -p process.version; done; sudo touch /__e/x 2>&1",
    );

    expect(twenty).toMatch(/^v20\./);
    expect(twentyFour).toMatch(/^v24\./);
    expect(refusal).toMatch(/Read-only file system/);
  });
});

describe("an image that does not build", () => {
  let engine: Engine;
  const files = new Map([["Dockerfile", "ARG BASE\nFROM $BASE\nRUN echo reason-why; exit 7\n"]]);
  const image = { tag: `berth-test:${contentHash(files)}`, files };

  beforeAll(async () => {
    engine = await connectEngine(connect);
  });
  afterAll(() =>
    engine.docker
      .getImage(image.tag)
      .remove()
      .catch(() => {}),
  );

  it("says which instruction failed, and leaves no image of that name", async () => {
    const lines: string[] = [];
    const step = provideImage(engine.docker, image, { name: "Build it", why: "a test wants it" });
    const report = (event: SetupEvent) => {
      if (event.type === "step_progress") lines.push(event.line);
    };

    await expect(applySetup([step], { report, signal })).rejects.toMatchObject({
      code: "SETUP_FAILED",
      message: expect.stringContaining("exit 7"),
    });
    expect(lines).toContain("reason-why");
    expect(await step.isDone(signal)).toBe(false);
  });
});

/** The lines a script prints in the job image. */
async function run({ engine, jobImage, nodeVolume }: Machine, script: string): Promise<string[]> {
  const output = new PassThrough();
  const printed = text(output);
  await engine.docker.run(jobImage, ["bash", "-c", script], output, {
    Tty: true,
    HostConfig: {
      AutoRemove: true,
      Mounts: [{ Type: "volume", Source: nodeVolume.name, Target: "/__e", ReadOnly: true }],
    },
  });
  output.end();
  return (await printed).split("\r\n").filter(Boolean);
}
