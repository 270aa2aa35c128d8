import { expect, it } from "@jest/globals";
import { BerthError } from "../../../runner/errors.ts";
import type { JobDescription } from "../../../runner/job/job-description.ts";
import type { JobEvent } from "../../../runner/job/job-event.ts";
import { openLocalPlace } from "../../../runner/job/local-place.ts";
import type { Siblings, StepContainerSpec } from "../../../runner/job/siblings.ts";
import { aJob, ex, mapping, run, type StepFixture } from "../job/job-fixture.ts";
import { actionsFixture, type Repositories, uses, writeFiles } from "./actions-fixture.ts";

const repositories: Repositories = {
  "octo/box": {
    "action.yml": `
inputs: { who: { default: you } }
runs:
  using: docker
  image: Dockerfile
  pre-entrypoint: /before
  entrypoint: /main
  post-entrypoint: /after
  args: ["hello \${{ inputs.who }}", ""]
  env: { GREETING: "\${{ inputs.who }}!" }`,
    Dockerfile: "FROM scratch",
  },
  "octo/in-composite": {
    "action.yml":
      "runs: { using: composite, steps: [{ uses: octo/box@v1 }, { uses: 'docker://alpine:3' }] }",
  },
};

/** An engine that says what it was asked for, and prints what it would run. */
function fakeEngine(fails: Partial<Siblings> = {}) {
  const asked: string[] = [];
  const containers: StepContainerSpec[] = [];
  const siblings: Siblings = {
    pullImage: async (image) => void asked.push(`pull ${image}`),
    async buildImage({ side, dockerfile }) {
      asked.push(`build ${side} ${dockerfile}`);
      return "built";
    },
    async runContainer(spec, { onOutput }) {
      containers.push(spec);
      onOutput(Buffer.from(`ran ${spec.entrypoint ?? "-"} [${spec.args.join("|")}]\n`));
      return { exitCode: spec.args.includes("fail") ? 3 : 0, oomKilled: false };
    },
    removeContainer: async () => undefined,
    async startServices(services) {
      asked.push(`start ${services.map(({ id, image }) => `${id}=${image}`).join()}`);
      return { db: { id: "abc", network: "net", ports: { "5432": "32768" } } };
    },
    stopServices: async ({ progress }) => progress("stopped"),
    ...fails,
  };
  return { siblings, asked, containers };
}

async function runWith(
  steps: readonly StepFixture[],
  {
    job = {},
    engine = fakeEngine(),
  }: { job?: Partial<JobDescription>; engine?: ReturnType<typeof fakeEngine> } = {},
) {
  await using fixture = await actionsFixture(repositories);
  const ran = await run(aJob(steps, job), {
    actions: fixture.actions,
    async openPlace(request, options) {
      const place = await openLocalPlace(request, { ...options, env: process.env });
      return { ...place, siblings: engine.siblings };
    },
  });
  return { ...ran, ...engine, names: stepsOf(ran.events) };
}

function stepsOf(events: readonly JobEvent[]): string[] {
  return events
    .flatMap((event) =>
      event.type === "step_finished" ? [`${event.stepName}: ${event.conclusion}`] : [],
    )
    .slice(1, -1);
}

function printed(events: readonly JobEvent[]): string[] {
  return linesOf(events).filter((line) => line.startsWith("ran "));
}

function linesOf(events: readonly JobEvent[]): string[] {
  return events.flatMap((event) => (event.type === "log" ? [event.line] : []));
}

it("provides the images of docker actions before all steps, each once", async () => {
  const { names, asked, events } = await runWith([
    uses("octo/in-composite@v1"),
    uses("octo/box@v1"),
    uses("docker://alpine:3", { with: mapping({ entrypoint: "/bin/x", args: 'a "b c" d' }) }),
  ]);

  expect(names).toEqual([
    "Build octo/box@v1: success",
    "Pull alpine:3: success",
    "Pre Run octo/in-composite@v1: success",
    "Pre Run octo/box@v1: success",
    "Run octo/in-composite@v1: success",
    "Run octo/box@v1: success",
    "Run alpine:3: success",
    "Post Run octo/box@v1: success",
    "Post Run octo/in-composite@v1: success",
  ]);
  expect(asked).toEqual(["build trusted Dockerfile", "pull alpine:3"]);
  expect(printed(events)).toEqual([
    "ran /before [hello you|]",
    "ran /before [hello you|]",
    "ran /main [hello you|]",
    "ran - []",
    "ran /main [hello you|]",
    "ran /bin/x [a|b c|d]",
    "ran /after [hello you|]",
    "ran /after [hello you|]",
  ]);
});

it("gives a docker action its inputs, and its own variables where nobody set them", async () => {
  const { containers } = await runWith([
    uses("octo/box@v1", { with: mapping({ who: "me" }) }),
    uses("octo/box@v1", { id: "second", env: mapping({ GREETING: "mine" }) }),
  ]);

  const mains = containers.filter(({ entrypoint }) => entrypoint === "/main");
  expect(mains.map(({ env }) => [env.INPUT_WHO, env.GREETING])).toEqual([
    ["me", "me!"],
    ["you", "mine"],
  ]);
});

it("knows the files that a docker action speaks of by their paths in its container", async () => {
  const matcher = {
    owner: "x",
    pattern: [{ regexp: "^([^ :]+):([0-9]+): (.*)$", file: 1, line: 2, message: 3 }],
  };
  const lines = [
    [
      "::add-matcher::/github/workspace/m.json",
      "::warning file=/github/workspace/src/a.c,line=1::w",
    ],
    ["/github/workspace/src/b.c:2: oh", "::remove-matcher::/github/runner_temp/m.json"],
    ["src/c.c:3: fine"],
  ];
  const engine = fakeEngine({
    async runContainer(_spec, { onOutput }) {
      onOutput(Buffer.from(`${lines.shift()?.join("\n")}\n`));
      return { exitCode: 0, oomKilled: false };
    },
  });

  const { events, result } = await runWith(
    [
      {
        run: `echo '${JSON.stringify({ problemMatcher: [matcher] })}' | tee m.json > "$RUNNER_TEMP/m.json"`,
      },
      uses("docker://alpine:3", { id: "a" }),
      uses("docker://alpine:3", { id: "b" }),
      uses("docker://alpine:3", { id: "c" }),
    ],
    { engine },
  );

  expect(result.conclusion).toBe("success");
  expect(
    events.flatMap((event) => (event.type === "annotation" ? [[event.file, event.message]] : [])),
  ).toEqual([
    ["src/a.c", "w"],
    ["src/b.c", "oh"],
  ]);
});

it("builds an action of the workspace when its step runs", async () => {
  const { names, asked } = await runWith([
    writeFiles({ "tool/Dockerfile": "FROM scratch" }),
    uses("./tool"),
  ]);

  expect(names.slice(1)).toEqual(["Run ./tool: success"]);
  expect(asked).toEqual(["build job Dockerfile"]);
});

it("skips the steps when an image cannot be had", async () => {
  const engine = fakeEngine({
    pullImage() {
      const message = "There is no image nowhere:1.";
      return Promise.reject(new BerthError("IMAGE_NOT_FOUND", { message }));
    },
  });
  const { names, annotations, result } = await runWith(
    [uses("docker://nowhere:1"), { if: "always()", run: "true" }],
    { engine },
  );

  expect(names).toEqual(["Pull nowhere:1: failure", "Run nowhere:1: skipped", "Run true: success"]);
  expect(annotations).toEqual(["error: There is no image nowhere:1."]);
  expect(result.conclusion).toBe("failure");
});

const services = mapping({ db: mapping({ image: "postgres" }), none: mapping({ image: "" }) });

it("starts services before the steps, tells where they are, and stops them last", async () => {
  const { names, asked, events } = await runWith(
    [
      uses("octo/box@v1"),
      {
        name: "Look",
        run: ex("format('echo {0} {1}', job.services.db.ports[5432], job.services.db.id)"),
      },
    ],
    { job: { services } },
  );

  expect(names).toEqual([
    "Build octo/box@v1: success",
    "Initialize containers: success",
    "Pre Run octo/box@v1: success",
    "Run octo/box@v1: success",
    "Look: success",
    "Post Run octo/box@v1: success",
    "Stop containers: success",
  ]);
  expect(asked).toContain("start db=postgres");
  expect(linesOf(events)).toContain("32768 abc");
});

it("skips the steps when services do not start, and stops what there is of them", async () => {
  const engine = fakeEngine({
    startServices() {
      const message = "The service db is not healthy.";
      return Promise.reject(new BerthError("SERVICE_FAILED", { message }));
    },
  });
  const { names, result } = await runWith([{ run: "echo never" }], { job: { services }, engine });

  expect(names).toEqual([
    "Initialize containers: failure",
    "Run echo never: skipped",
    "Stop containers: success",
  ]);
  expect(result.conclusion).toBe("failure");
});
