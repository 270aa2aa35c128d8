import { afterAll, beforeAll, expect, it } from "@jest/globals";
import type { LocalHubOptions } from "../../../src/localhub/hub-options.ts";
import { startLocalHub } from "../../../src/localhub/start-local-hub.ts";
import { type ConfigFolder, configFolder, PRIVATE_KEY } from "../config/config-folder.ts";
import { runBerth } from "./run-berth.ts";

const NEEDED = { actions: "write", checks: "write", contents: "read", pull_requests: "read" };
const EVENTS = [
  "workflow_job",
  "workflow_run",
  "push",
  "pull_request",
  "workflow_dispatch",
  "release",
];

/** The App's key is the one in every `configFolder`. */
function startHub(options: LocalHubOptions = {}) {
  return startLocalHub({
    organizations: [{ login: "octo", repositories: [{ name: "hello" }] }],
    webhook: { url: "http://127.0.0.1:1/webhooks/github", secret: "it's a secret" },
    ...options,
    app: { privateKey: PRIVATE_KEY, ...options.app },
  });
}

function folderFor({ url, app }: { url: string; app: { id: number } }, more = ""): ConfigFolder {
  return configFolder(`github:
  url: ${url}
  app: { id: ${app.id}, privateKeyFile: key.pem }
  webhookSecretFile: secret
${more}`);
}

let good: Awaited<ReturnType<typeof startHub>>;
beforeAll(async () => {
  good = await startHub();
});
afterAll(async () => {
  await good[Symbol.asyncDispose]();
});

it("says that all is well, and with whom", async () => {
  using folder = folderFor(good);

  const { code, stdout, stderr } = await runBerth(["validate", "--online"], { cwd: folder.root });

  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toContain(`GitHub knows the App.
  App       ${good.app.slug}, of `);
  expect(stdout).toContain(`  hook      http://127.0.0.1:1/webhooks/github
  installed octo
`);
});

it("lists all that has to be put right, and where", async () => {
  await using hub = await startHub({
    app: {
      permissions: { ...NEEDED, checks: "read", metadata: "read" },
      events: EVENTS.filter((event) => event !== "push"),
    },
    organizations: [
      {
        login: "octo",
        repositories: [],
        permissions: { ...NEEDED, metadata: "read", actions: "read" },
      },
    ],
    webhook: { url: "http://127.0.0.1:1/hook", secret: "x" },
  });
  using folder = folderFor(hub);

  const { code, stderr } = await runBerth(["validate", "--online"], { cwd: folder.root });

  expect(code).toBe(2);
  expect(stderr).toMatch(
    /The App lacks checks: write\.\n +Add this at http\S+\/apps\/\S+\/permissions,/,
  );
  expect(stderr).toContain("The App does not hear of push.");
  expect(stderr).toContain(
    "goes to http://127.0.0.1:1/hook, and Berth listens at /webhooks/github",
  );
  expect(stderr).toContain("octo has not granted actions: write to the App yet.");
});

it("needs a webhook for polling too, and the App installed somewhere", async () => {
  await using hub = await startHub({ organizations: [], webhook: {} });
  using folder = folderFor(hub, "intake: poll\n");

  const { code, stdout } = await runBerth(["validate", "--online", "--json"], { cwd: folder.root });

  expect({ code, result: JSON.parse(stdout) as unknown }).toMatchObject({
    code: 2,
    result: {
      ok: false,
      problems: [
        {
          message: "The App has no webhook.",
          remedy: expect.stringContaining("keeps no deliveries"),
        },
        { message: "The App is installed nowhere." },
      ],
      github: { app: { id: hub.app.id }, installations: [] },
    },
  });
});

it("knows a key of another App, and an App that is not there", async () => {
  await using hub = await startLocalHub({ organizations: [] });
  using folder = folderFor(hub);
  using other = folderFor({ url: good.url, app: { id: 4711 } });

  const wrongKey = await runBerth(["validate", "--online"], { cwd: folder.root });
  const wrongId = await runBerth(["validate", "--online"], { cwd: other.root });

  expect([wrongKey.code, wrongId.code]).toEqual([2, 2]);
  expect(wrongKey.stderr).toContain(`The private key is not one of App ${hub.app.id}.`);
  expect(wrongId.stderr).toContain("No App has the ID 4711 on this server.");
});

it("ends with 1 when GitHub does not answer", async () => {
  using folder = folderFor({ url: "http://127.0.0.1:2", app: { id: 1 } });
  const validate = (...args: string[]) =>
    runBerth(["validate", "--online", ...args], { cwd: folder.root });

  const [text, json] = await Promise.all([validate(), validate("--json")]);

  expect([text.code, json.code]).toEqual([1, 1]);
  expect(text.stderr).toContain(
    "http://127.0.0.1:2/api/v3 cannot be reached: nothing listens there.",
  );
  expect(JSON.parse(json.stdout)).toMatchObject({ ok: false });
});
