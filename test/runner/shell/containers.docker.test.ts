import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "@jest/globals";
import type Docker from "dockerode";
import { openShell } from "../../../runner/shell/open-shell.ts";
import { shellArgv } from "../../../runner/shell/preamble.ts";
import type { Checkpoint, Command, Shell } from "../../../runner/shell/shell.ts";
import { containerShell } from "../../../src/containers/container-shell.ts";
import { makeTestImages, testEngine } from "../../engine.ts";
import { run, sh } from "./shells.ts";

type ContainerJob = {
  readonly checkpoints: Checkpoint[];
  open(): Promise<Shell>;
};

describe.each(["berth-test/debian", "berth-test/busybox"])("in a container of %s", (image) => {
  let docker: Docker;
  const containers: Docker.Container[] = [];
  const shells: Shell[] = [];
  beforeAll(async () => {
    await makeTestImages();
    ({ docker } = await testEngine());
  });
  afterEach(async () => {
    for (const shell of shells.splice(0)) await shell[Symbol.asyncDispose]();
    for (const container of containers.splice(0)) await container.remove({ force: true, v: true });
  });
  afterAll(() => expect(containers).toEqual([]));

  async function makeJob(
    settings: Docker.ContainerCreateOptions = {},
    maxSize = "256m",
  ): Promise<ContainerJob> {
    const nonce = randomBytes(8).toString("hex");
    const container = await docker.createContainer({
      Image: image,
      Entrypoint: ["/bin/sh"],
      Cmd: shellArgv(nonce),
      OpenStdin: true,
      ...settings,
      HostConfig: {
        Init: true,
        LogConfig: {
          Type: "local",
          Config: { "max-size": maxSize, "max-file": "2", compress: "false" },
        },
        ...settings.HostConfig,
      },
    });
    containers.push(container);
    const checkpoints: Checkpoint[] = [];
    const backend = containerShell(docker, container.id);
    backend.start = () => container.start();
    let resume = false;
    return {
      checkpoints,
      async open() {
        const journal = {
          startedAt: 0,
          checkpoints: [...checkpoints],
          append: async (checkpoint: Checkpoint) => void checkpoints.push(checkpoint),
        };
        const signal = new AbortController().signal;
        const shell = await openShell(backend, { nonce, journal, resume, signal });
        resume = true;
        shells.push(shell);
        return shell;
      },
    };
  }

  it("knows the container's environment, odd names and newlines included, and passes it on", async () => {
    const job = await makeJob({ Env: ["A-B=dashed", "LINES_=one\ntwo", "LC_ALL=C.UTF-8"] });

    const shell = await job.open();
    const outcome = await run(shell, { argv: ["env", "-0"], cwd: "/" });

    expect(shell.facts.env).toMatchObject({ "A-B": "dashed", LINES_: "one\ntwo" });
    const seen = outcome.text.split("\0");
    expect(seen).toEqual(
      expect.arrayContaining(["A-B=dashed", "LINES_=one\ntwo", "LC_ALL=C.UTF-8", "PWD=/"]),
    );
  });

  it("works as a user of no name on a file system that cannot be written to", async () => {
    const job = await makeJob({
      User: "12345:23456",
      HostConfig: { ReadonlyRootfs: true, Tmpfs: { "/data": "mode=1777" }, CapDrop: ["ALL"] },
    });
    const shell = await job.open();
    const collect = [{ path: "/data/out", limitBytes: 99 }];

    const script = "echo a >/dev/stdout; echo b >/dev/stderr; cat >/data/out </data/in; exit 3";
    const write = [{ path: "/data/in", content: "x".repeat(2000) }];
    const outcome = await sh(shell, script, { cwd: "/", collect, write });

    expect(shell.facts).toMatchObject({ uid: 12345, gid: 23456 });
    expect(outcome).toMatchObject({ exitCode: 3, text: "a\nb\n" });
    expect(outcome.files["/data/out"]).toMatchObject({ truncated: true, sizeBytes: 2000 });
  });

  it("is lost, in words, when a step kills everything", async () => {
    const shell = await (await makeJob()).open();

    await expect(sh(shell, "kill -9 -1; sleep 5", { cwd: "/" })).rejects.toMatchObject({
      code: "SHELL_LOST",
    });
  });

  it("equals an undisturbed run, however often its client goes away", async () => {
    const job = await makeJob();
    const steps = Array.from({ length: 10 }, (_, step): Command => {
      const script = `i=0; while [ $i -lt 4000 ]; do i=$((i + 1)); echo "$STEP.$i"; done; printf x >>/tmp/count; echo "$STEP" >"$OUT"; exit $STEP`;
      return {
        argv: ["sh", "-c", script],
        cwd: "/",
        env: { STEP: String(step), OUT: `/tmp/out-${step}` },
        collect: [{ path: `/tmp/out-${step}`, limitBytes: 99 }],
      };
    });
    const outputs: string[] = [];

    let deaths = 0;
    for (let done = false; !done; ) {
      const shell = await job.open();
      const wait = (deaths * 37) % 90;
      const death = setTimeout(() => void shell[Symbol.asyncDispose](), wait);
      if (deaths >= 12) clearTimeout(death);
      try {
        for (const [step, command] of steps.entries()) {
          const stored = job.checkpoints.length > step;
          const outcome = await run(shell, command);
          expect(outcome.exitCode).toBe(step);
          expect(outcome.files[`/tmp/out-${step}`]?.content.toString()).toBe(`${step}\n`);
          if (!stored) outputs[step] = outcome.text;
        }
        const count = await run(shell, { argv: ["cat", "/tmp/count"], cwd: "/" });
        expect(count.text).toBe("x".repeat(steps.length));
        done = true;
      } catch (error) {
        expect(error).toMatchObject({ code: "SHELL_LOST" });
        deaths++;
      } finally {
        clearTimeout(death);
      }
    }

    expect(deaths).toBeGreaterThan(2);
    for (const step of steps.keys()) {
      const lines = Array.from({ length: 4000 }, (_, index) => `${step}.${index + 1}\n`);
      expect(outputs[step]).toBe(lines.join(""));
    }
  });

  it("says how much is left when the log was rotated meanwhile", async () => {
    const job = await makeJob({}, "100k");
    const script = `sleep 0.3; i=0; while [ $i -lt 60000 ]; do i=$((i + 1)); echo "number $i"; done; echo end`;
    const first = await job.open();
    const dying = sh(first, script, { cwd: "/" }).catch((error: unknown) => error);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await first[Symbol.asyncDispose]();
    await dying;
    await new Promise((resolve) => setTimeout(resolve, 3000));

    const outcome = await sh(await job.open(), script, { cwd: "/" });

    const lines = outcome.text.trimEnd().split("\n");
    expect(lines[0]).toMatch(/^Berth: the beginning of this output is missing/);
    expect(lines.at(-1)).toBe("end");
    expect(lines.at(-2)).toBe("number 60000");
    expect(outcome.exitCode).toBe(0);
  });
});
