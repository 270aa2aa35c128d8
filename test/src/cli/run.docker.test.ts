import { once } from "node:events";
import { beforeAll, expect, it } from "@jest/globals";
import { RUN_LABEL } from "../../../src/containers/labels.ts";
import { jobImage, testEngine } from "../../engine.ts";
import { conclusions, type Ended, ending, logOf, runBerth, startBerth } from "./run-berth.ts";
import { temporaryRepository } from "./temporary-repository.ts";

let env: { [name: string]: string | undefined };
beforeAll(async () => {
  await jobImage();
  const { endpoint } = await testEngine();
  env = { DOCKER_HOST: endpoint, XDG_STATE_HOME: process.env.XDG_STATE_HOME };
});

it("runs jobs in containers and leaves nothing of them", async () => {
  using repository = repositoryWith("echo $HOSTNAME; id -un; pwd");

  const ended = await runBerth(["run", "--json"], { cwd: repository.root, env });

  expect(ended.code).toBe(0);
  expect(conclusions(ended)).toEqual({ a: "success" });
  expect(logOf(ended)).toEqual(expect.arrayContaining(["runner"]));
  expect(await objectsOf(runOf(ended))).toEqual([]);
});

it("leaves nothing after a Ctrl-C, nor after a second one", async () => {
  using repository = repositoryWith("trap '' INT TERM; echo begun; sleep 60 & wait; sleep 60");
  const child = startBerth(["run", "--json"], { cwd: repository.root, env });
  const ended = ending(child);
  await begun(child);

  child.kill("SIGINT");
  await new Promise((resolve) => child.stderr?.once("data", resolve));
  child.kill("SIGINT");

  const result = await ended;
  expect(result.code).toBe(130);
  expect(await objectsOf(runOf(result))).toEqual([]);
});

it("keeps a failed job's container with --keep until berth gc is told its run", async () => {
  using repository = repositoryWith("echo kept > note; exit 1");

  const ended = await runBerth(["run", "--json", "--keep"], { cwd: repository.root, env });
  const run = runOf(ended);
  const [container] = (await objectsOf(run)).filter(({ kind }) => kind === "container");
  const gc = await runBerth(["gc", run], { cwd: repository.root, env });

  expect(ended.code).toBe(1);
  expect(ended.stderr).toContain(
    `docker -H ${env.DOCKER_HOST} exec -it ${container?.id.slice(0, 12)} `,
  );
  expect(container?.state).toBe("running");
  expect(gc).toMatchObject({ code: 0 });
  expect(gc.stdout).toContain(`removed container ${container?.id.slice(0, 12)}`);
  expect(await objectsOf(run)).toEqual([]);
});

it("gc removes what a killed process left, after saying so with --dry-run, and nothing of a living one", async () => {
  using repository = repositoryWith("echo begun; sleep 100");
  const [killed, living] = [0, 1].map(() =>
    startBerth(["run", "--json"], { cwd: repository.root, env }),
  );
  if (!killed || !living) throw new Error("not started");
  const [killedRun, livingRun] = await Promise.all([begun(killed), begun(living)]);
  killed.kill("SIGKILL");
  await once(killed, "close");

  const dry = await runBerth(["gc", killedRun, "--dry-run", "--json"], {
    cwd: repository.root,
    env,
  });
  const stillThere = await objectsOf(killedRun);
  const gc = await runBerth(["gc", killedRun, "--json"], { cwd: repository.root, env });
  const ofLiving = await runBerth(["gc", livingRun, "--json"], { cwd: repository.root, env });
  const left = await objectsOf(livingRun);
  living.kill("SIGINT");
  living.kill("SIGTERM");
  await once(living, "close");

  expect(JSON.parse(dry.stdout)).toEqual({
    wouldRemove: [{ job: `${killedRun}.a`, run: killedRun }],
  });
  expect(stillThere).not.toEqual([]);
  expect(JSON.parse(gc.stdout)).toMatchObject({ left: [] });
  expect(await objectsOf(killedRun)).toEqual([]);
  expect(JSON.parse(ofLiving.stdout)).toEqual({ removed: [], left: [], helpers: [], actions: [] });
  expect(left).not.toEqual([]);
});

function repositoryWith(script: string) {
  return temporaryRepository({
    ".github/workflows/ci.yml": `on: push
jobs:
  a:
    runs-on: ubuntu-latest
    steps:
      - run: ${JSON.stringify(script)}
`,
  });
}

function runOf({ events }: Ended): string {
  return String(events[0]?.run);
}

/** The run's id, once its step has begun to print. */
async function begun(child: ReturnType<typeof startBerth>): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    child.stdout?.on("data", (chunk) => {
      text += chunk;
      const run = /"run":"(\d+)"/.exec(text)?.[1];
      if (run && text.includes('"line":"begun"')) resolve(run);
    });
  });
}

/** What the engine has of a run; volumes are those that no container has taken along. */
async function objectsOf(run: string) {
  const { docker } = await testEngine();
  const filters = { label: [`${RUN_LABEL}=${run}`] };
  const [containers, networks, { Volumes: volumes }] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listNetworks({ filters }),
    docker.listVolumes({ filters }),
  ]);
  return [
    ...containers.map(({ Id, State }) => ({ kind: "container", id: Id, state: State })),
    ...networks.map(({ Id }) => ({ kind: "network", id: Id, state: "" })),
    ...volumes.map(({ Name }) => ({ kind: "volume", id: Name, state: "" })),
  ];
}
