import { expect, it } from "@jest/globals";
import {
  type ContainerTemplate,
  fillContainer,
  type JobValues,
} from "../../../src/config/container-template.ts";
import { ContainerSettings } from "../../../src/containers/settings.ts";

const VALUES: JobValues = {
  runId: 17,
  job: "train",
  matrix: { model: "small", gpus: 2, list: [1] },
  suffix: "x1",
  image: "berth-job:1",
};

const fill = (template: ContainerTemplate, values: Partial<JobValues> = {}) =>
  fillContainer(template, { ...VALUES, ...values });

it("gives each job its own settings, in the shape of a container's", () => {
  const settings = fill({
    name: "${job}-${run_id}",
    memory: "${matrix.gpus}g",
    cpus: 2,
    network: "bridge",
    ports: { "8080": "80${matrix.gpus}0" },
    environment: { MODEL: "${matrix.model}", LITERAL: "$${job}", HOME: "$HOME" },
    volumes: [{ source: "/data/${matrix.model}/", target: "/data" }, { target: "/scratch" }],
  });

  expect(ContainerSettings.parse(settings)).toMatchObject({
    image: "berth-job:1",
    name: "train-17-x1",
    resources: { memory: "2g", cpus: 2 },
    network: { mode: "bridge", ports: { "8080": "8020" } },
    environment: { MODEL: "small", LITERAL: "${job}", HOME: "$HOME" },
    volumes: [
      { source: "/data/small", target: "/data", mode: "rw" },
      { target: "/scratch", mode: "rw" },
    ],
  });
});

it("keeps names of containers apart and such that an engine takes them", () => {
  const name = (values: Partial<JobValues>) => fill({ name: "${job}" }, values).name;

  expect(name({ suffix: "a" })).not.toBe(name({ suffix: "b" }));
  expect(name({ job: "call/inner job" })).toBe("call-inner-job-x1");
  expect(name({ job: "/" })).toBe("x1");
  expect(fill({}).name).toBeUndefined();
});

it("shows policy where a path really leads", () => {
  const { volumes } = fill(
    { volumes: [{ source: "/data/${matrix.model}", target: "/x" }] },
    { matrix: { model: "../etc/" } },
  );

  expect(volumes).toMatchObject([{ source: "/etc" }]);
});

it.each<[string, ContainerTemplate, RegExp]>([
  ["a key that the matrix lacks", { name: "${matrix.size}" }, /this job's matrix has no size/],
  ["a key that every object has", { name: "${matrix.constructor}" }, /has no constructor/],
  ["a list", { name: "${matrix.list}" }, /matrix.list is no single value/],
  ["a value that does not fit", { memory: "${matrix.model}" }, /memory: must be a size/],
  [
    "a way into other parts of a mount",
    { volumes: [{ source: "/data/${matrix.bad}", target: "/x" }] },
    /colon/,
  ],
  ["a way into other parts of a port", { ports: { "80": "${matrix.bad}" } }, /colon/],
  ["a line break", { user: "${matrix.lines}" }, /line break/],
])("refuses %s", (_, template, message) => {
  const matrix = { ...VALUES.matrix, bad: "a:/etc", lines: "a\nb" };

  expect(() => fill(template, { matrix })).toThrow(
    expect.objectContaining({ code: "CONFIG_INVALID", message: expect.stringMatching(message) }),
  );
});
