import { join } from "node:path";
import { expect, it } from "@jest/globals";
import { readHostsConfig } from "../../../src/config/read-config.ts";
import { configFolder, GITHUB, goodConfig, PRIVATE_KEY } from "./config-folder.ts";

const MIB = 2 ** 20;

it("fills in what is left out", () => {
  const { config, secrets } = goodConfig(GITHUB);

  expect(config).toMatchObject({
    github: {
      url: "https://github.com",
      apiUrl: "https://api.github.com",
      app: { id: 1, privateKey: PRIVATE_KEY.trim() },
      webhookSecrets: ["it's a secret"],
    },
    listen: { host: "127.0.0.1", port: 8010 },
    intake: "webhook",
    claim: "named",
    hosts: [{ name: "here", slots: 1 }],
    profiles: {},
    policy: { repositories: ["*"], forks: "deny", hostPaths: [], privileged: "deny" },
    limits: {},
    githubJob: "cancel",
    mixed: "leave",
    log: { level: "info", format: "text" },
    store: { maxLogSize: { bytes: 256 * MIB }, keepLogs: { ms: 30 * 86_400_000 } },
  });
  expect(secrets).toEqual([PRIVATE_KEY.trim(), "it's a secret"]);
});

it("needs no webhook secret where it polls", () => {
  const { config } = goodConfig(`${GITHUB.replace(/ +webhook.*\n/, "")}intake: poll\n`);

  expect(config.github.webhookSecrets).toEqual([]);
});

it.each([
  ["https://github.com", "https://api.github.com"],
  ["https://acme.ghe.com", "https://api.acme.ghe.com"],
  ["https://github.example.com/", "https://github.example.com/api/v3"],
  ["http://127.0.0.1:3000", "http://127.0.0.1:3000/api/v3"],
])("finds the API of %s", (url, apiUrl) => {
  const { config } = goodConfig(GITHUB.replace("github:\n", `github:\n  url: ${url}\n`));

  expect(config.github.apiUrl).toBe(apiUrl);
});

it.each([
  ["127.0.0.1:0", { host: "127.0.0.1", port: 0 }],
  ["localhost:80", { host: "localhost", port: 80 }],
  ['"[::1]:8010"', { host: "::1", port: 8010 }],
])("listens on %s", (text, listen) => {
  expect(goodConfig(`${GITHUB}listen: ${text}\n`).config.listen).toEqual(listen);
});

it.each([
  ["90s", 90_000],
  ["1h30m", 5_400_000],
  ["1.5d", 129_600_000],
  ["250ms", 250],
])("reads the time %s once", (text, ms) => {
  expect(goodConfig(`${GITHUB}store: { keepLogs: ${text} }\n`).config.store.keepLogs).toEqual({
    ms,
  });
});

it.each([
  ["512m", 512 * MIB],
  ["1.5GiB", 1536 * MIB],
  ['"1024"', 1024],
])("reads the size %s once", (text, bytes) => {
  const { config } = goodConfig(`${GITHUB}profiles: { p: { needs: { memory: ${text} } } }\n`);

  expect(config.profiles.p?.needs.memory).toEqual({ bytes });
});

it("takes two webhook secrets while they are changed, from variables or from files", () => {
  const fromVariables = goodConfig(
    GITHUB.replace("webhookSecretFile: secret", 'webhookSecret: ["${NEW}", "${OLD}"]'),
    { NEW: "n", OLD: "o" },
  );
  using folder = configFolder(GITHUB.replace("secret\n", "[secret, sub/old]\n"));
  folder.write("sub/old", "old one\n");

  expect(fromVariables.config.github.webhookSecrets).toEqual(["n", "o"]);
  expect(folder.read()).toMatchObject({
    config: { github: { webhookSecrets: ["it's a secret", "old one"] } },
  });
});

it("fills in variables, those of files too, and says what to mask", () => {
  using folder = configFolder(`github:
  app: { id: "\${ID}", privateKey: "\${KEY}" }
  webhookSecret: \${HOOK}
listen: \${ADDRESS}:80
hosts: [{ name: a, slots: "\${SLOTS}" }]
profiles:
  p:
    container:
      credentials: { username: u, password: in-clear }
      environment: { TOKEN: "x-\${TOKEN}-\${run_id}", PLAIN: "$\${TOKEN}" }
      privileged: "\${PRIVILEGED}"
policy: { privileged: allow }
`);
  folder.write("hook", "from a file\n");

  const read = folder.read({
    ID: "42",
    KEY: PRIVATE_KEY.replaceAll("\n", "\\n"),
    HOOK_FILE: `${folder.root}/hook`,
    ADDRESS: "127.0.0.1",
    SLOTS: "3",
    TOKEN: "odd ${run_id}",
    PRIVILEGED: "true",
  });

  expect(read).toMatchObject({
    config: {
      github: { app: { id: 42, privateKey: PRIVATE_KEY.trim() }, webhookSecrets: ["from a file"] },
      listen: { host: "127.0.0.1", port: 80 },
      hosts: [{ slots: 3 }],
      profiles: {
        p: {
          container: {
            environment: { TOKEN: "x-odd $${run_id}-${run_id}", PLAIN: "$${TOKEN}" },
            privileged: true,
          },
        },
      },
    },
  });
  const secrets = "secrets" in read ? [...read.secrets] : [];
  expect(secrets).toEqual(
    expect.arrayContaining([PRIVATE_KEY.trim(), "from a file", "in-clear", "odd ${run_id}"]),
  );
  expect(secrets).not.toContain("42");
  expect(secrets).not.toContain("3");
});

it("takes paths from the file's folder", () => {
  using folder = configFolder("");
  folder.write("etc/key.pem", PRIVATE_KEY);
  folder.write("etc/secret", "s");
  folder.write("etc/id", "ssh key");
  folder.write("etc/aes", "c2VjcmV0\n");
  folder.write(
    "berth.yml",
    `github:
  app: { id: 1, privateKeyFile: etc/key.pem }
  webhookSecretFile: ./etc/secret
hosts: [{ name: a, ssh: "u@[::1]:22", identityFile: etc/id }]
secretKeyFile: etc/aes
store: { path: state }
`,
  );

  expect(folder.read()).toMatchObject({
    config: {
      hosts: [{ identityFile: `${folder.root}/etc/id` }],
      store: { path: `${folder.root}/state` },
      secretKey: "c2VjcmV0",
    },
    secrets: expect.arrayContaining(["c2VjcmV0"]),
  });
});

it("keeps a profile's container as a template", () => {
  const { config } = goodConfig(`${GITHUB}profiles:
  ml-train:
    needs: { gpu: { count: 2, model: a100 } }
    container:
      name: "train-\${run_id}"
      memory: "\${matrix.memory}"
      cpuset: "0-\${matrix.last}"
      volumes: [{ source: "/data/\${matrix.set}", target: /data, mode: ro }]
policy: { hostPaths: [/data] }
`);

  expect(config.profiles["ml-train"]).toMatchObject({
    needs: { gpu: { count: 2, model: "a100" }, rootless: false, dind: false },
    container: {
      name: "train-${run_id}",
      memory: "${matrix.memory}",
      volumes: [{ source: "/data/${matrix.set}" }],
    },
    runner: "native",
    report: "checks",
    retries: 0,
    maxMinutes: 360,
  });
});

it("takes values by alias", () => {
  const { config } = goodConfig(`${GITHUB}profiles:
  a: &a { retries: 2 }
  b: *a
`);

  expect(config.profiles.b?.retries).toBe(2);
});

it("gives hosts what hostDefaults say, each only what means something for it", () => {
  using folder =
    configFolder(`${GITHUB}hostDefaults: { slots: 3, sudo: false, engine: rootless, passwordFile: secret, images: [a] }
hosts:
  - { name: far, ssh: u@h, slots: 5 }
  - { name: socket, docker: unix:///x }
  - { name: here }
`);
  folder.write("secret", "of the login\n");

  const read = folder.read({});

  expect(read).toMatchObject({
    config: {
      hosts: [
        { name: "far", slots: 5, sudo: false, engine: "rootless", password: "of the login" },
        { name: "socket", slots: 3, sudo: true, images: ["a"], setup: { mode: "plan" } },
        { name: "here", slots: 3, engine: "rootless" },
      ],
    },
    secrets: expect.arrayContaining(["of the login"]),
  });
  const [, socket, here] = "config" in read ? read.config.hosts : [];
  expect(socket).not.toHaveProperty("engine");
  expect(here?.password).toBeUndefined();
});

it("reads machines from a file that says nothing of GitHub, and does not look at the rest", () => {
  using folder = configFolder(
    "hosts: [{ name: a, ssh: u@h }]\nregistries: [{ host: r, username: me, password: '${P}' }]\nprofiles: { x: { nonsense: '${NOWHERE}' } }\n",
  );

  const read = readHostsConfig(join(folder.root, "berth.yml"), {
    env: { P: "of the registry" },
    cwd: folder.root,
  });

  expect(read).toMatchObject({
    config: { hosts: [{ name: "a" }], network: { registries: [{ password: "of the registry" }] } },
    secrets: ["of the registry"],
  });
});

it("tells what is wrong with machines where it reads nothing else", () => {
  using folder = configFolder("hosts: [{ name: a, slot: 1 }]\n");

  const read = readHostsConfig(join(folder.root, "berth.yml"), { env: {}, cwd: folder.root });

  expect(read).toMatchObject({
    problems: [{ line: 1, column: 20, message: expect.stringContaining("Did you mean slots?") }],
  });
});
