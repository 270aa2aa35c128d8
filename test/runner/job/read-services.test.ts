import { expect, it } from "@jest/globals";
import type { Scope } from "../../../runner/expressions/evaluate.ts";
import type { Template } from "../../../runner/expressions/template.ts";
import { readServices } from "../../../runner/job/read-container.ts";
import { ex, mapping } from "./job-fixture.ts";

const SCOPE: Scope = {
  contexts: { matrix: { version: 17 }, secrets: { TOKEN: "s3cret", NONE: "" } },
};

async function read(services: Template | undefined) {
  const notes: string[] = [];
  const found = await readServices(services, { scope: SCOPE, note: (line) => notes.push(line) });
  return { found, notes };
}

it("evaluates every key of a service, in the order of the file", async () => {
  const { found, notes } = await read(
    mapping({
      db: mapping({
        image: ex("format('postgres:{0}', matrix.version)"),
        credentials: mapping({ username: "me", password: ex("secrets.TOKEN") }),
        env: mapping({ NUMBER: 1, TOKEN: ex("secrets.TOKEN") }),
        ports: { seq: [5432, "53:53/udp"] },
        volumes: { seq: ["/data"] },
        options: "--memory 1g",
        entrypoint: "/start",
        command: "--fast yes",
      }),
      cache: "redis",
    }),
  );

  const bare = { env: {}, ports: [], volumes: [], options: "" };
  expect(found).toEqual([
    {
      id: "db",
      image: "postgres:17",
      credentials: { username: "me", password: "s3cret" },
      env: { NUMBER: "1", TOKEN: "s3cret" },
      ports: ["5432", "53:53/udp"],
      volumes: ["/data"],
      options: "--memory 1g",
      entrypoint: "/start",
      command: "--fast yes",
    },
    { ...bare, id: "cache", image: "redis" },
  ]);
  expect(notes).toEqual([]);
});

it("takes an image with docker:// before it as GitHub does", async () => {
  const { found } = await read(
    mapping({ a: "docker://redis:7", b: mapping({ image: "docker://db" }) }),
  );

  expect(found.map(({ image }) => image)).toEqual(["redis:7", "db"]);
});

it.each([
  ["an empty image", mapping({ image: ex("secrets.NONE") })],
  ["nothing at all", null],
  ["an empty text", ""],
  ["docker:// alone", "docker://"],
])("leaves out a service with %s, and says so", async (_what, service) => {
  const { found, notes } = await read(mapping({ db: service }));

  expect(found).toEqual([]);
  expect(notes).toEqual([
    "The service 'db' will not be started because the container definition has an empty image.",
  ]);
});

it.each<[string, Template, string]>([
  ["a list of services", { seq: ["redis"] }, "`services` must be a mapping of names to services."],
  [
    "a list for a service",
    mapping({ db: { seq: ["a"] } }),
    "`services.db` must be an image or a mapping.",
  ],
  [
    "an image that is none",
    withImage({ image: { seq: [] } }),
    "`services.db.image` must be a text.",
  ],
  ["ports that are no list", withImage({ ports: 80 }), "`services.db.ports` must be a list."],
  [
    "a port that is none",
    withImage({ ports: { seq: [mapping({})] } }),
    "`services.db.ports[0]` must be a text.",
  ],
  [
    "variables that are a list",
    withImage({ env: { seq: [] } }),
    "`services.db.env` must be a mapping.",
  ],
  [
    "a nested variable",
    withImage({ env: mapping({ A: { seq: [] } }) }),
    "`services.db.env.A` must be a text.",
  ],
  [
    "options that are a list",
    withImage({ options: { seq: [] } }),
    "`services.db.options` must be a text.",
  ],
  [
    "a command that is a list",
    withImage({ command: { seq: [] } }),
    "`services.db.command` must be a text.",
  ],
  [
    "an unknown key",
    withImage({ port: 80 }),
    "`services.db` has a key `port`, which no service has.",
  ],
  [
    "credentials without a password",
    withImage({ credentials: mapping({ username: "me", password: ex("secrets.NONE") }) }),
    "`services.db.credentials` needs both a username and a password, and one of them is empty.",
  ],
])("refuses %s, naming service and key", async (_what, services, message) => {
  await expect(read(services)).rejects.toMatchObject({ code: "WORKFLOW_INVALID", message });
});

function withImage(service: { readonly [key: string]: Template }): Template {
  return mapping({ db: mapping({ image: "postgres", ...service }) });
}
