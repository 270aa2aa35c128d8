import { createHash, randomUUID } from "node:crypto";
import { text } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type Docker from "dockerode";
import type { StepContainerSpec } from "../../../runner/job/siblings.ts";
import type { ContainerPlace } from "../../../src/containers/container-place.ts";
import { openJobPlace } from "../../../src/containers/job-place.ts";
import { removeSiblings } from "../../../src/containers/siblings.ts";
import { stepContainers } from "../../../src/containers/step-container.ts";
import { engineForTests } from "./engine.ts";
import { tinyImage } from "./tiny-image.ts";

const IMAGE = `berth-test/step-${process.pid}:root`;
const APP = `berth-test/step-${process.pid}:app`;
const job = { jobId: `step-${randomUUID()}`, runId: `run-${process.pid}`, repository: "repo" };
const never = new AbortController().signal;
const stack = new AsyncDisposableStack();
const leaks: unknown[] = [];
let docker: Docker;
let place: ContainerPlace;

beforeAll(async () => {
  ({ docker } = await engineForTests());
  stack.use(await tinyImage(docker, IMAGE));
  const changes = ["USER 4321", 'ENTRYPOINT ["/bin/printf","%s|"]', 'CMD ["own","words"]'];
  stack.use(await tinyImage(docker, APP, { changes }));
  place = await openJobPlace(
    docker,
    { ...job, labels: [] },
    {
      image: IMAGE,
      shellArgv: [],
      hostName: "here",
      progress() {},
      onLeak: (leak) => leaks.push(leak),
      signal: never,
    },
  );
  stack.use(place);
});
afterAll(async () => {
  await removeSiblings(docker, job.jobId, (leak) => leaks.push(leak));
  await stack.disposeAsync();
  expect(leaks).toEqual([]);
  const filters = { label: [`io.berth.job=${job.jobId}`] };
  expect(await docker.listContainers({ all: true, filters })).toEqual([]);
  expect((await docker.listVolumes({ filters })).Volumes ?? []).toEqual([]);
});

describe("the container of a docker action", () => {
  it.each([
    ["the image's own entrypoint and words", {}, "own|words|"],
    ["its arguments instead of the image's", { args: ["a b", ""] }, "a b||"],
    ["its entrypoint, one word, without the image's words", { entrypoint: "/bin/id" }, /^uid=4321/],
  ])("runs %s", async (_what, spec, said) => {
    const { output, ...end } = await run({ image: APP, ...spec });

    expect(output.toString()).toEqual(
      typeof said === "string" ? said : expect.stringMatching(said),
    );
    expect(end).toEqual({ exitCode: 0, oomKilled: false });
  });

  it("shares the job's folders under GitHub's names, and nothing else", async () => {
    await sayInJob(
      "echo ws > /__w/repo/repo/f; echo tmp > /__w/_temp/f; echo fc > /__w/_temp/_runner_file_commands/f",
    );
    await sayInJob("echo home > /github/home/f; echo wf > /github/workflow/f");

    const { output } = await sh(
      "pwd; cd /github; cat */f; ls; ls / | cat; echo back > workspace/g",
    );

    expect(output.toString()).toBe(
      "/github/workspace\nfc\nhome\ntmp\nwf\nws\nfile_commands\nhome\nrunner_temp\nworkflow\nworkspace\nbin\ndev\netc\ngithub\nproc\nsys\ntmp\n",
    );
    expect(await sayInJob("cat /__w/repo/repo/g")).toBe("back\n");
  });

  it("cannot be led out into the host by what the job puts in a shared folder's place", async () => {
    const said = await sayInJob(
      "cd /; rm -rf /__w/_temp /__w/repo/repo /github/home 2>/dev/null; rm -rf /__w/repo 2>/dev/null; mkdir -p /__w/_temp; stat -c %F /__w/_temp /__w/repo/repo /github/home",
    );
    const { output } = await sh("ls -A /github/runner_temp /github/workspace /github/home");

    expect(said).toBe("directory\ndirectory\ndirectory\n");
    expect(output.toString()).not.toContain("passwd");
  });

  it("passes every byte of what it prints", async () => {
    const megabytes = 24;
    const { output } = await sh(
      `printf '\\0\\1\\377\\r'; head -c ${megabytes}000000 /dev/zero; printf 'err' >&2; printf 'no newline'`,
    );

    const expected = createHash("sha256")
      .update(Buffer.from([0, 1, 255, 13]))
      .update(Buffer.alloc(megabytes * 1_000_000))
      .digest("hex");
    // The two streams are not ordered between each other.
    const errAt = output.indexOf("err");
    const stdout = Buffer.concat([output.subarray(0, errAt), output.subarray(errAt + 3)]);
    const begin = stdout.subarray(0, megabytes * 1_000_000 + 4);
    expect(createHash("sha256").update(begin).digest("hex")).toBe(expected);
    expect(stdout.subarray(begin.length).toString()).toBe("no newline");
  });

  it("has variables of any name and value", async () => {
    const env = { "INPUT_NODE-VERSION": "a\nb", "INPUT_A B": "", PATH: "/bin:/x" };

    const { output } = await run({ entrypoint: "/bin/env", env });

    const said = output.toString();
    for (const [name, value] of Object.entries(env)) expect(said).toContain(`${name}=${value}\n`);
  });

  it.each([
    ["exit 3", 3],
    ["sh -c 'kill -9 $$'; exit $?", 137],
  ])("tells how it ended: %s", async (script, exitCode) => {
    expect(await sh(script)).toMatchObject({ exitCode, oomKilled: false });
  });

  it.each([
    ["is missing", "nosuch", 127],
    ["is no program", "/etc/passwd", 126],
  ])(
    "ends as with Docker's command line when its entrypoint %s",
    async (_what, entrypoint, code) => {
      const { exitCode, output } = await run({ entrypoint });

      expect({ exitCode, said: output.toString() }).toEqual({
        exitCode: code,
        said: expect.stringContaining(entrypoint),
      });
    },
  );

  it("tells that it ran out of memory", async () => {
    const key = randomUUID();
    const running = sh(
      "while ! test -e /github/workspace/limited; do sleep 0.1; done; exec tail /dev/zero",
      { key },
    );
    const found = await untilStarted(key);
    await found.update({ Memory: 32 << 20, MemorySwap: 32 << 20 });
    await sayInJob("touch /__w/repo/repo/limited");

    expect(await running).toMatchObject({ exitCode: 137, oomKilled: true });
  });

  it("has its own environment where others cannot see it, and is labelled as the job's", async () => {
    const key = randomUUID();
    await sh("exit 0", { key, env: { TOKEN: "very-secret" } }, { keep: true });

    const { Config: config, HostConfig: host } = await container(key).inspect();
    expect(config.Env).toContain("TOKEN=very-secret");
    expect(JSON.stringify([config.Labels, config.Cmd, host])).not.toContain("very-secret");
    expect(config.Labels).toMatchObject({
      "io.berth.kind": "step",
      "io.berth.job": job.jobId,
      "io.berth.run": job.runId,
      "io.berth.step": key,
    });
    expect(JSON.stringify(host.Binds ?? [])).not.toContain("docker.sock");
    expect(host.PidsLimit).toBe(16_384);
    await steps().removeContainer(key);
  });
});

describe("stopping it", () => {
  it("sends INT first, and nothing more once it has ended", async () => {
    const stop = new AbortController();
    const { exitCode, output } = await sh(
      "trap 'echo int; exit 5' INT; trap 'echo term' TERM; echo ready; while true; do sleep 0.1; done",
      { signal: stop.signal, onOutput: () => stop.abort() },
    );

    expect([exitCode, output.toString()]).toEqual([5, "ready\nint\n"]);
  });

  it("goes on to TERM and KILL with what does not end", async () => {
    const stop = new AbortController();
    const { exitCode, output } = await sh(
      "trap 'echo int' INT; trap 'echo term' TERM; echo ready; while true; do sleep 0.1; done",
      { signal: stop.signal, onOutput: () => stop.abort() },
    );

    expect([exitCode, output.toString()]).toEqual([137, "ready\nint\nterm\n"]);
  }, 30_000);

  it("kills at once when told so", async () => {
    const kill = new AbortController();
    const { exitCode, output } = await sh("trap 'echo int' INT; echo ready; sleep 1000", {
      kill: kill.signal,
      onOutput: () => kill.abort(),
    });

    expect([exitCode, output.toString()]).toEqual([137, "ready\n"]);
  });

  it("starts nothing when it was stopped before", async () => {
    const key = randomUUID();

    await expect(
      sh("touch /github/workspace/ran", { key, signal: AbortSignal.abort() }),
    ).rejects.toThrow();

    expect(await sayInJob("ls /__w/repo/repo/ran 2>&1 | head -c 3")).toBe("ls:");
    await expect(container(key).inspect()).rejects.toMatchObject({ statusCode: 404 });
  });
});

describe("a later life of the job", () => {
  const script = (file: string) =>
    `echo ran >> ${file}; i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo line $i; sleep 0.05; done; cat ${file}; exit 7`;
  const said = `${Array.from({ length: 30 }, (_, at) => `line ${at + 1}\n`).join("")}ran\n`;

  it("comes back to a container that runs, and hears it from its beginning", async () => {
    const key = randomUUID();
    const first = sh(script("first"), { key }, { keep: true });
    await untilStarted(key);

    const second = await sh("echo this is never run", { key }, { keep: true });

    expect([second.exitCode, second.output.toString()]).toEqual([7, said]);
    expect(await first).toEqual(second);
    await steps().removeContainer(key);
  });

  it("learns the end of one that has ended", async () => {
    const key = randomUUID();
    await sh(script("second"), { key }, { keep: true });

    const { exitCode, output } = await sh("echo this is never run", { key });

    expect([exitCode, output.toString()]).toEqual([7, said]);
  });

  it("stops one that it came back to", async () => {
    const key = randomUUID();
    const looping = "trap 'exit 9' INT; echo ready; while true; do sleep 0.1; done";
    const first = sh(looping, { key }, { keep: true });
    await untilStarted(key);
    const stop = new AbortController();

    const { exitCode } = await sh("exit 0", {
      key,
      signal: stop.signal,
      onOutput: () => stop.abort(),
    });

    expect([exitCode, (await first).exitCode]).toEqual([9, 9]);
  });

  it("makes anew what was made and never started", async () => {
    const key = randomUUID();
    await docker.createContainer({ name: nameOf(key), Image: IMAGE, Cmd: ["/bin/true"] });

    const { exitCode, output } = await sh("echo fresh", { key });

    expect([exitCode, output.toString()]).toEqual([0, "fresh\n"]);
  });
});

it("goes with its job, running or not, and removing it twice is fine", async () => {
  const key = randomUUID();
  const running = sh("sleep 1000", { key }, { keep: true }).catch(() => "removed");
  await untilStarted(key);

  await removeSiblings(docker, job.jobId, (leak) => leaks.push(leak));
  await steps().removeContainer(key);

  await expect(container(key).inspect()).rejects.toMatchObject({ statusCode: 404 });
  await running;
});

type Asked = Partial<StepContainerSpec> & {
  key?: string;
  signal?: AbortSignal;
  kill?: AbortSignal;
  onOutput?: () => void;
};

/** Runs a container and, unless it is kept, removes it. */
async function run(asked: Asked, { keep = false } = {}) {
  const { key = randomUUID(), signal = never, kill = never, onOutput, ...spec } = asked;
  const printed: Buffer[] = [];
  try {
    const end = await steps().runContainer(
      { image: IMAGE, args: [], env: {}, ...spec },
      {
        key,
        signal,
        kill,
        onOutput(chunk) {
          printed.push(chunk);
          onOutput?.();
        },
      },
    );
    return { ...end, output: Buffer.concat(printed) };
  } finally {
    if (!keep) await steps().removeContainer(key);
  }
}

function sh(script: string, asked: Asked = {}, options = {}) {
  return run({ entrypoint: "/bin/sh", args: ["-c", script], ...asked }, options);
}

function steps() {
  const { containerId } = place;
  return stepContainers(docker, { ...job, containerId, onLeak: (leak) => leaks.push(leak) });
}

function nameOf(key: string): string {
  return `berth-${job.jobId}.step.${key}`;
}

function container(key: string): Docker.Container {
  return docker.getContainer(nameOf(key));
}

async function untilStarted(key: string): Promise<Docker.Container> {
  for (;;) {
    const found = await container(key)
      .inspect()
      .catch(() => undefined);
    if (found?.State.Running) return container(key);
    await pause(20);
  }
}

/** What a script prints in the job's own container. */
async function sayInJob(script: string): Promise<string> {
  const exec = await docker
    .getContainer(place.containerId)
    .exec({ Cmd: ["/bin/sh", "-c", script], AttachStdout: true, AttachStderr: true, Tty: true });
  return (await text(await exec.start({ Tty: true }))).replaceAll("\r\n", "\n");
}
