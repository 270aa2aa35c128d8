import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { jobImage, prepare, testEngine } from "../engine.ts";
import { type HostMachine, startHostMachine } from "../host-machines.ts";
import { startServiceOnLocalhub, type TestService } from "./service-on-localhub.ts";
import { testRepository } from "./test-repository.ts";

const run = promisify(execFile);

let folder: string;
let key: string;
let far: HostMachine;
let service: TestService;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "berth-debug-"));
  key = join(folder, "key");
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "me", "-f", key]);
  const publicKey = (await readFile(`${key}.pub`, "utf8")).split(" ").slice(0, 2).join(" ");
  far = await startHostMachine({ name: "far", jobImage: true });
  const { address, port, identityFile, hostKey } = far;
  service = await startServiceOnLocalhub({
    files: {},
    hub: { users: [{ login: "octocat", keys: [publicKey] }] },
    config: {
      hosts: [
        { name: "here", slots: 4 },
        { name: "far", ssh: `root@${address}:${port}`, identityFile, hostKey },
      ],
      profiles: {
        look: {
          needs: { host: "here" },
          container: { image: await loginImage() },
          debug: { onFailure: "10m", keys: "github:actor" },
        },
        far: { needs: { host: "far" }, debug: { onFailure: "10m", keys: [] } },
        brief: { needs: { host: "here" }, debug: { onFailure: "5s", keys: [] } },
      },
    },
  });
}, 120_000);
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await far[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** The job image with what a login needs, which else each container would have to install; kept for the next run. */
async function loginImage(): Promise<string> {
  const dockerfile = [
    `FROM ${await jobImage()}`,
    "USER root",
    "RUN apt-get update && apt-get install --yes --no-install-recommends mosh openssh-server",
    "USER runner",
  ].join("\n");
  const hash = createHash("sha256").update(dockerfile).digest("hex").slice(0, 12);
  const tag = `berth-test-login:${hash}`;
  await prepare([{ tag, files: new Map([["Dockerfile", dockerfile]]) }]);
  return tag;
}

/** What follows `--` takes the configuration, which comes last, for its own. */
const inside = (id: string, ...command: string[]) =>
  service.berth("jobs", "ssh", "-c", join(service.folder, "berth.yml"), id, "--", ...command);

/** Runs a command with the login image's mosh, on this machine's network. */
async function overMosh(command: string): Promise<void> {
  const { docker } = await testEngine();
  const script = `mkdir -m 700 ~/.ssh && echo "$KEY" > ~/.ssh/id_ed25519 && chmod 600 ~/.ssh/id_ed25519 && ${command}`;
  const container = await docker.createContainer({
    Image: await loginImage(),
    Cmd: ["sh", "-c", script],
    Env: [`KEY=${await readFile(key, "utf8")}`, "LC_ALL=C.UTF-8", "TERM=xterm"],
    Tty: true,
    OpenStdin: true,
    Labels: { "io.berth.test": "mosh" },
    HostConfig: { NetworkMode: "host" },
  });
  try {
    await container.start();
    await container.resize({ w: 80, h: 24 });
    await container.wait();
  } finally {
    await container.remove({ force: true });
  }
}

const fails = (profile: string) => `
on: push
jobs:
  fail:
    runs-on: [self-hosted, ${profile}]
    steps:
      - run: echo made by a step > made.txt; exit 3
`;

it("keeps a failed job's container for those who may look, and removes it when told", async () => {
  const repository = await testRepository(service, "look", fails("look"));

  await repository.push();
  const { externalId: id } = await repository.ended("fail");
  const check = await repository.check("fail", ({ summary }) => /^ssh /m.test(summary ?? ""));
  const commands = /```text\n([\s\S]*?)\n```/.exec(check.summary ?? "")?.[1]?.split("\n") ?? [];
  const login = `${commands[1]} -F /dev/null -i ${key} -o BatchMode=yes`;
  const overSsh = await run("sh", ["-c", `${login} 'id -un; sudo -n id -un'`]);
  await overMosh(`${commands[2]} -- sh -c 'id -un > /tmp/over-mosh'`);
  await service.kill();
  await service.start();
  const command = "id -un; cat made.txt /tmp/over-mosh; exit 7";
  const overBerth = await inside(id, "sh", "-c", command);
  const [list, why, log, hosts] = await Promise.all([
    service.berth("jobs", "ls"),
    service.berth("jobs", "why", id),
    service.berth("jobs", "logs", id),
    service.berth("host", "ls"),
  ]);
  const cancel = await service.berth("jobs", "cancel", id);
  const left = await service.leftovers();
  const after = await inside(id, "true");

  expect(check).toMatchObject({
    conclusion: "failure",
    title: expect.stringMatching(/exit code 3; kept until \d\d:\d\d UTC for a look$/),
  });
  expect(commands).toEqual([
    `berth jobs ssh ${id}`,
    expect.stringMatching(/^ssh -p \d+ .* runner@\S+$/),
    expect.stringMatching(/^mosh .* -p \d+:\d+ .* runner@\S+$/),
  ]);
  expect(overSsh.stdout).toBe("runner\nroot\n");
  expect(overBerth).toEqual({ code: 7, stdout: "runner\nmade by a step\nrunner\n", stderr: "" });
  expect(list.stdout).toMatch(/failure .*kept until \d\d:\d\d UTC for a look/);
  expect(why.stdout).toMatch(
    /kept until .* for a look\.\n[\s\S]*opens a shell in its container\.\n/,
  );
  expect(log.stdout.trimEnd().split("\n").at(-1)).toContain(commands[2]);
  expect(hosts.stdout).toMatch(/3 of 4 free.*takes jobs; \S+ is kept until/);
  expect(cancel.code).toBe(0);
  expect(left).toEqual([]);
  expect(after).toMatchObject({ code: 2, stderr: expect.stringContaining("has ended") });
});

it("leads into a job on a host over SSH, while it runs and when it is kept", async () => {
  const waits = "until [ -e /tmp/go ]; do sleep 0.1; done; exit 1";
  const repository = await testRepository(service, "far", fails("far").replace("exit 3", waits));

  await repository.push();
  const { externalId: id } = await repository.check("fail", ({ title }) =>
    /step 2/.test(title ?? ""),
  );
  const whileItRuns = await inside(id, "sh", "-c", "touch /tmp/go; cat made.txt");
  const { title } = await repository.ended("fail");
  const kept = await inside(id, "sh", "-c", "cat made.txt");
  await service.berth("jobs", "cancel", id);
  const left = await far.exec("docker ps -aq --filter label=io.berth.run");

  expect(whileItRuns).toEqual({ code: 0, stdout: "made by a step\n", stderr: "" });
  expect(title).toMatch(/exit code 1; kept until \d\d:\d\d UTC for a look$/);
  expect(kept.stdout).toBe("made by a step\n");
  expect(left.stdout).toBe("");
});

it("keeps it no longer than that, though the service is dead by then", async () => {
  const repository = await testRepository(service, "brief", fails("brief"));

  await repository.push();
  const { externalId: id } = await repository.check("fail", ({ title }) =>
    /kept until/.test(title ?? ""),
  );
  await service.kill();
  const { docker } = await testEngine();
  const filters = { label: [`io.berth.job=${id}`, "io.berth.kind=job"] };
  const [container] = await docker.listContainers({ filters });
  await docker.getContainer(container?.Id ?? "").wait();
  await service.start();
  const left = await service.until(async () => (await service.leftovers()).length === 0);

  expect(container).toBeDefined();
  expect(left).toBe(true);
});
