import { expect, it } from "@jest/globals";
import { configInvalid } from "../../../src/config/read-config.ts";
import { configFolder, GITHUB, problemsOf } from "./config-folder.ts";

const at = (place: string, ...words: string[]) => ({ place, words });
const profile = (text: string) => `${GITHUB}profiles:\n  p:\n${text.replace(/^/gm, "    ")}\n`;
const host = (text: string) => `${GITHUB}hosts:\n  - ${text}\n`;

it.each([
  // the file
  ["an empty file", "", at("1:1", "must be a mapping of keys, and is empty")],
  ["only a comment", "# nothing\n", at("1:1", "empty")],
  ["a list", "- a\n", at("1:1", "must be a mapping of keys, and is a list")],
  ["plain text", "hello\n", at("1:1", "and is text")],
  ["an unclosed bracket", `${GITHUB}hosts: [\n`, at("5:1", "]")],
  ["a tab for indentation", "github:\n\tapp: 1\n", at("2:1", "Tabs")],
  ["two documents", `${GITHUB}---\na: 1\n`, at("4:1", "multiple documents")],
  [
    "a variable without quotes between braces",
    "github:\n  app: { id: ${ID} }\n",
    at("2:15", 'quotes around "${NAME}"'),
  ],
  ["an unknown alias", `${GITHUB}hosts: *all\n`, at("4:8", "alias")],
  ["an unknown tag", `${GITHUB}listen: !secret x\n`, at("4:9", "tag")],
  ["a duplicate key", `${GITHUB}claim: named\nclaim: labels\n`, at("5:1", "stands here twice")],
  // keys
  [
    "an unknown section",
    `${GITHUB}hosst: []\n`,
    at("4:1", "unknown key hosst", "Did you mean hosts?"),
  ],
  ["a key that is like nothing here", `${GITHUB}zzz: 1\n`, at("4:1", "Known here: github, listen")],
  [
    "a misspelt key of an App",
    "github:\n  app: { id: 1, privateKeyfile: x }\n  webhookSecret: s\n",
    at("2:17", "unknown key privateKeyfile in github.app", "Did you mean privateKeyFile?"),
  ],
  [
    "a misspelt key of a host",
    host("{ name: a, slot: 1 }"),
    at("5:16", "in hosts[0]", "Did you mean slots?"),
  ],
  [
    "a misspelt key of a container",
    profile("container: { memroy: 1g }"),
    at("6:18", "in profiles.p.container", "Did you mean memory?"),
  ],
  ["a shortened key", profile("needs: { mem: 1g }"), at("6:14", "Did you mean memory?")],
  [
    "an unknown key of a volume",
    profile("container:\n  volumes:\n    - { target: /a, source: v1, readonly: true }"),
    at("8:37", "in profiles.p.container.volumes[0]", "Known here: source, target, mode"),
  ],
  ["GPUs in a container", profile("container: { gpus: all }"), at("6:18", "ask for them in needs")],
  ["a merge key", profile("<<: { retries: 1 }"), at("6:5", "Merge keys are not read")],
  // what is missing
  ["no github", "intake: poll\n", at("1:1", "github is missing")],
  ["an empty github", "github:\n", at("1:1", "github must be a mapping of keys, and is empty")],
  ["no App", "github: { webhookSecret: a }\n", at("1:1", "app is missing in github")],
  [
    "no id",
    "github:\n  app: { privateKeyFile: key.pem }\n  webhookSecret: s\n",
    at("2:3", "id is missing in github.app", "App ID"),
  ],
  [
    "no private key",
    "github:\n  app: { id: 1 }\n  webhookSecret: s\n",
    at("2:3", "privateKeyFile is missing in github.app"),
  ],
  [
    "no webhook secret",
    "github:\n  app: { id: 1, privateKeyFile: key.pem }\n",
    at("1:1", "webhookSecretFile is missing", "intake: poll"),
  ],
  ["a host without a name", host("{ slots: 1 }"), at("5:5", "name is missing in hosts[0]")],
  [
    "a volume without a target",
    profile("container: { volumes: [{ source: v1 }] }"),
    at("6:28", "target is missing in profiles.p.container.volumes[0]"),
  ],
  // types and values
  [
    "text for an id",
    GITHUB.replace("id: 1", "id: one"),
    at("2:14", "github.app.id must be a number, and is text"),
  ],
  ["a negative id", GITHUB.replace("id: 1", "id: -1"), at("2:14", "must be more than 0")],
  [
    "a fraction of a slot",
    host("{ name: a, slots: 1.5 }"),
    at("5:23", "must be a whole number, and is a fraction"),
  ],
  ["no slot", host("{ name: a, slots: 0 }"), at("5:23", "must be more than 0")],
  ["no hosts", `${GITHUB}hosts: []\n`, at("4:8", "hosts must have at least 1")],
  [
    "a section that is not filled",
    `${GITHUB}hosts:\n`,
    at("4:1", "hosts must be a list, and is empty"),
  ],
  [
    "a mapping of hosts",
    `${GITHUB}hosts:\n  here: {}\n`,
    at("5:3", "hosts must be a list, and is a mapping"),
  ],
  [
    "an unknown intake",
    `${GITHUB}intake: webhooks\n`,
    at("4:9", "intake must be webhook or poll. Did you mean webhook?"),
  ],
  [
    "an unknown level",
    `${GITHUB}log: { level: verbose }\n`,
    at("4:15", "must be error, warn, info or debug"),
  ],
  [
    "a listen address without port",
    `${GITHUB}listen: localhost\n`,
    at("4:9", "listen must be HOST:PORT"),
  ],
  ["a port that is none", `${GITHUB}listen: 127.0.0.1:70000\n`, at("4:9", "65535")],
  [
    "a port as a number",
    `${GITHUB}listen: 8010\n`,
    at("4:9", "listen must be text, and is a number"),
  ],
  [
    "a URL without scheme",
    GITHUB.replace("github:\n", "github:\n  apiUrl: api.example.com\n"),
    at("2:11", "must be a URL"),
  ],
  [
    "a URL of another kind",
    GITHUB.replace("github:\n", "github:\n  url: ssh://example.com\n"),
    at("2:8", "must be a URL"),
  ],
  [
    "three webhook secrets",
    GITHUB.replace("webhookSecretFile: secret", "webhookSecret: [a, b, c]"),
    at("3:18", "a list of two"),
  ],
  [
    "a time without unit",
    `${GITHUB}store: { keepLogs: 30 }\n`,
    at("4:20", "must be text, and is a number"),
  ],
  [
    "a time with a wrong unit",
    `${GITHUB}store: { keepLogs: 30w }\n`,
    at("4:20", "must be a time with a unit, like 30s"),
  ],
  [
    "a size that is none",
    `${GITHUB}store: { maxLogSize: big }\n`,
    at("4:22", "must be a size, like 512m"),
  ],
  [
    "a limit of nothing",
    `${GITHUB}limits: { perRepository: 0 }\n`,
    at("4:26", "must be more than 0"),
  ],
  [
    "American spelling",
    `${GITHUB}limits: { perOrganization: 2 }\n`,
    at("4:11", "Did you mean perOrganisation?"),
  ],
  // hosts
  ["a host's name with a blank", host('{ name: "a b" }'), at("5:13", "letters, digits")],
  [
    "an endpoint that is none",
    host("{ name: a, docker: /var/run x }"),
    at("5:24", "must be an endpoint"),
  ],
  [
    "an SSH address with a path",
    host("{ name: a, ssh: u@h/x:y }"),
    at("5:21", "must be user@address:port"),
  ],
  [
    "a fingerprint that is none",
    host("{ name: a, ssh: u@h, hostKey: abc }"),
    at("5:35", "SHA256: and 43 characters"),
  ],
  [
    "an unknown kind of engine",
    host("{ name: a, engine: rootles }"),
    at("5:24", "Did you mean rootless?"),
  ],
  [
    "two hosts of one name",
    `${GITHUB}hosts: [{ name: a }, { name: A }]\n`,
    at("4:30", "two hosts named A"),
  ],
  [
    "an engine elsewhere than the machine over SSH",
    host("{ name: a, docker: 'tcp://h:2376', ssh: u@h }"),
    at("5:16", "a socket of that machine"),
  ],
  [
    "TLS for a socket",
    host("{ name: a, docker: unix:///x, tls: { certFile: c, keyFile: k } }"),
    at("5:35", "has tls"),
  ],
  ["a jump for no ssh", host("{ name: a, jump: b }"), at("5:16", "no ssh")],
  ["a jump that is a sentence", host("{ name: a, ssh: u@h, jump: a b }"), at("5:32", "user@")],
  ["a mode of set-up", host("{ name: a, setup: always }"), at("5:23", "setup")],
  [
    "a password file that is not there",
    host("{ name: a, ssh: u@h, passwordFile: nope }"),
    at("5:40", "passwordFile of host a"),
  ],
  [
    "defaults that name a host",
    `${GITHUB}hostDefaults: { name: a }\n`,
    at("4:17", "unknown key name in hostDefaults"),
  ],
  [
    "a registry with a login and no password",
    `${GITHUB}registries: [{ host: ghcr.io, username: me }]\n`,
    at("4:14", "passwordFile is missing"),
  ],
  [
    "a registry with two passwords",
    `${GITHUB}registries: [{ host: a, username: me, password: x, passwordFile: y }]\n`,
    at("4:52", "both password and passwordFile"),
  ],
  ["certificates that are none", `${GITHUB}caFile: key.pem\n`, at("4:9", "holds no certificate")],
  ["a proxy that is no URL", `${GITHUB}proxy: { http: proxy }\n`, at("4:16", "must be a URL")],
  [
    "a debug session without end",
    profile("debug: { onFailure: 48h }"),
    at("6:25", "must be at most 24h"),
  ],
  ["a debug key that is none", profile("debug: { onFailure: 1m, keys: [x] }"), at("6:36", "key")],
  [
    "a daemon that may do everything",
    profile("dind: { mode: capabilities }"),
    at("6:19", "policy.privileged: allow"),
  ],
  ["a key for no ssh", host("{ name: a, identityFile: key.pem }"), at("5:16", "no ssh")],
  [
    "a host key for no ssh",
    host(`{ name: a, hostKey: "SHA256:${"a".repeat(43)}" }`),
    at("5:16", "no ssh"),
  ],
  [
    "docker and engine",
    host("{ name: a, docker: unix:///x, engine: docker }"),
    at("5:35", "both docker and engine"),
  ],
  [
    "an identity file that is not there",
    host("{ name: a, ssh: u@h, identityFile: nope }"),
    at("5:40", "there is no such file"),
  ],
  // profiles
  [
    "a profile named like a label",
    `${GITHUB}profiles: { GPU: {} }\n`,
    at("4:13", "a profile cannot be named GPU"),
  ],
  [
    "a profile named as no label can be",
    `${GITHUB}profiles: { "a b": {} }\n`,
    at("4:13", "letters, digits"),
  ],
  [
    "two profiles that are one label",
    `${GITHUB}profiles: { ml: {}, ML: {} }\n`,
    at("4:21", "profiles ml and ML are one label"),
  ],
  [
    "an empty profile",
    `${GITHUB}profiles:\n  ml:\n`,
    at("5:3", "must be a mapping of keys, and is empty"),
  ],
  [
    "a host that is not there",
    profile("needs: { host: gpu-2 }"),
    at("6:20", "there is no host gpu-2; the hosts are here"),
  ],
  ["CUDA as a number", profile("needs: { gpu: { cuda: 12.4 } }"), at("6:27", "must be text")],
  [
    "a number of GPUs without count",
    profile("needs: { gpu: 2 }"),
    at("6:19", "must be a mapping of keys, and is a number"),
  ],
  ["a MIG slice that is none", profile("needs: { gpu: { mig: small } }"), at("6:26", "1g.10gb")],
  [
    "a MIG slice of a model",
    profile("needs: { gpu: { mig: 1g.10gb, model: a100 } }"),
    at("6:21", "leave out mig or model"),
  ],
  ["another runner", profile("runner: official"), at("6:13", "runner must be native")],
  ["another report", profile("report: jit"), at("6:13", "report must be checks")],
  ["endless retries", profile("retries: 99"), at("6:14", "must be at most 10")],
  [
    "memory said twice",
    profile("needs: { memory: 8g }\ncontainer: { memory: 8g }"),
    at("7:18", "both set the limit"),
  ],
  [
    "CPUs said twice",
    profile("needs: { cpus: 2 }\ncontainer: { cpus: 2 }"),
    at("7:18", "both set the limit"),
  ],
  [
    "less swap than memory",
    profile("container: { memory: 2g, memorySwap: 1g }"),
    at("6:42", "cannot be less than memory"),
  ],
  [
    "swap without memory",
    profile("container: { memorySwap: 1g }"),
    at("6:18", "there is no memory"),
  ],
  [
    "memory that is no size",
    profile("container: { memory: lots }"),
    at("6:26", "container.memory", "512m"),
  ],
  [
    "a relative mount",
    profile("container: { volumes: [{ source: ./x, target: /x }] }"),
    at("6:38", "absolute path or the name of a volume"),
  ],
  [
    "a mode that is none",
    profile("container: { volumes: [{ source: v1, target: /x, mode: r }] }"),
    at("6:60", "ro or rw"),
  ],
  [
    "a number in the environment",
    profile("container: { environment: { A: 1 } }"),
    at("6:36", "environment.A must be text, and is a number"),
  ],
  [
    "a relative folder to work in",
    profile("container: { workdir: app }"),
    at("6:27", "absolute path"),
  ],
  [
    "an unknown placeholder",
    profile('container: { name: "x-${run-id}" }'),
    at("6:24", "${run-id}", "run_id, job and matrix.KEY"),
  ],
  [
    "a placeholder that no environment has",
    profile('container: { name: "x-${runid}" }'),
    at("6:24", "no runid in the environment", "nor one of run_id"),
  ],
  [
    "a matrix without key",
    profile('container: { name: "x-${matrix}" }'),
    at("6:24", "no matrix in the environment"),
  ],
  [
    "a job's value in options",
    profile('container: { options: "--pid ${matrix.p}" }'),
    at("6:27", "may not depend on the job"),
  ],
  [
    "a job's value as network",
    profile('container: { network: "${matrix.n}" }'),
    at("6:27", "may not depend on the job"),
  ],
  [
    "a job's value outside of a container",
    `${GITHUB}store: { path: "/x/\${run_id}" }\n`,
    at("4:16", "known for each job only"),
  ],
  [
    "a privileged container",
    profile("container: { privileged: true }"),
    at("6:30", "policy.privileged: allow"),
  ],
  [
    "privileged allowed to workflows",
    profile("allow: [network, privileged]"),
    at("6:22", "policy.privileged: allow"),
  ],
  ["an unknown permission", profile("allow: [hostnet]"), at("6:13", "must be privileged, network")],
  [
    "a folder that no job may have",
    profile("container: { volumes: [{ source: /data, target: /x }] }"),
    at("6:38", "/data is not below one of policy.hostPaths"),
  ],
  [
    "a folder beside an allowed one",
    `${profile("container: { volumes: [{ source: /data2/x, target: /x }] }")}policy: { hostPaths: [/data] }\n`,
    at("6:38", "/data2/x is not below"),
  ],
  [
    "a way out of an allowed folder",
    `${profile("container: { volumes: [{ source: /data/../etc, target: /x }] }")}policy: { hostPaths: [/data] }\n`,
    at("6:38", "/etc is not below"),
  ],
  // policy
  [
    "a repository without owner",
    `${GITHUB}policy: { repositories: [repo] }\n`,
    at("4:26", "OWNER/NAME"),
  ],
  [
    "an unknown event",
    `${GITHUB}policy: { events: [pul_request] }\n`,
    at("4:20", "Did you mean pull_request?"),
  ],
  [
    "an unknown answer to forks",
    `${GITHUB}policy: { forks: maybe }\n`,
    at("4:18", "deny or allow"),
  ],
  [
    "an unknown association",
    `${GITHUB}policy: { authorAssociation: [member] }\n`,
    at("4:31", "Did you mean MEMBER?"),
  ],
  ["a bare branch", `${GITHUB}policy: { refs: [main] }\n`, at("4:18", "refs/heads/main")],
  [
    "a relative path of the host",
    `${GITHUB}policy: { hostPaths: [data] }\n`,
    at("4:23", "absolute path without . and .."),
  ],
  [
    "a path that climbs",
    `${GITHUB}policy: { hostPaths: [/data/..] }\n`,
    at("4:23", "absolute path without . and .."),
  ],
  [
    "only exclusions",
    `${GITHUB}policy: { repositories: ["!a/b"] }\n`,
    at("4:25", "no repository is left"),
  ],
  // secrets and files
  [
    "a variable that is not set",
    GITHUB.replace("webhookSecretFile: secret", "webhookSecret: ${NOPE}"),
    at("3:18", "there is no NOPE in the environment, nor NOPE_FILE"),
  ],
  [
    "a variable whose name is none",
    `${GITHUB}listen: "\${a b}:1"\n`,
    at("4:9", "not the name of an environment variable"),
  ],
  [
    "a variable that is said twice",
    `${GITHUB}listen: \${TWICE}\n`,
    at("4:9", "both TWICE and TWICE_FILE"),
  ],
  [
    "a variable whose file is not there",
    `${GITHUB}listen: \${LOST}\n`,
    at("4:9", "LOST_FILE is /nowhere", "no such file"),
  ],
  [
    "a variable that is no number",
    host('{ name: a, slots: "${WORD}" }'),
    at("5:23", "must be a number, and is text"),
  ],
  [
    "key and key file",
    GITHUB.replace("id: 1,", "id: 1, privateKey: x,"),
    at("2:32", "both privateKey and privateKeyFile"),
  ],
  [
    "secret and secret file",
    `${GITHUB}  webhookSecret: x\n`,
    at("3:3", "both webhookSecret and webhookSecretFile"),
  ],
  [
    "a key file that is not there",
    GITHUB.replace("key.pem", "nope.pem"),
    at("2:33", "nope.pem cannot be read: there is no such file"),
  ],
  ["a folder as key file", GITHUB.replace("key.pem", "."), at("2:33", "it is a folder")],
  [
    "a key file without key",
    GITHUB.replace("key.pem", "secret"),
    at("2:33", "holds no private key", "BEGIN RSA PRIVATE KEY"),
  ],
  [
    "an empty secret file",
    GITHUB.replace("secret\n", "/dev/null\n"),
    at("3:22", "/dev/null is empty"),
  ],
  [
    "a secret key that is not there",
    `${GITHUB}secretKeyFile: nope\n`,
    at("4:16", "secretKeyFile", "no such file"),
  ],
])("tells %s where it stands", (_, text, { place, words }) => {
  const problems = problemsOf(text, {
    TWICE: "a",
    TWICE_FILE: "b",
    LOST_FILE: "/nowhere",
    WORD: "many",
  });

  expect(problems).toHaveLength(1);
  expect(problems[0]?.startsWith(`${place}: `) ? place : problems[0]).toBe(place);
  for (const word of words) expect(problems[0]).toContain(word);
});

it("tells all problems at once, in the file's order, each with its line", () => {
  using folder = configFolder(`${GITHUB}lisen: 1
hosts:
  - { name: a, slots: many }
  - { name: a, sssh: u@h }
claim: named
claim: labels
store: { keepLogs: soon, path: "\${NOPE}" }
`);

  const read = folder.read();
  const message = "problems" in read ? configInvalid(read.problems).message : "";

  expect(message.split("\n").filter((line) => line.startsWith("berth.yml:"))).toEqual([
    "berth.yml:4:1: unknown key lisen. Did you mean listen?",
    "berth.yml:6:23: hosts[0].slots must be a number, and is text",
    "berth.yml:7:16: unknown key sssh in hosts[1]. Did you mean ssh?",
    "berth.yml:9:1: this key stands here twice; only one can count",
    expect.stringMatching(/^berth\.yml:10:20: store\.keepLogs must be a time/),
    expect.stringMatching(/^berth\.yml:10:32: there is no NOPE/),
  ]);
  expect(message).toContain("\n  lisen: 1\n  ^");
});

it("tells what is wrong between sections although another section is wrong", () => {
  expect(problemsOf(`${profile("needs: { host: b }")}intake: push\n`)).toEqual([
    "6:20: there is no host b; the hosts are here",
    "7:9: intake must be webhook or poll",
  ]);
});

it("does not blame what only follows from a misspelt section", () => {
  const text = `${profile("needs: { host: b }")}host:\n  - { name: b }\n`;

  expect(problemsOf(text)).toEqual(["7:1: unknown key host. Did you mean hosts?"]);
});

it.each([
  ["in its line", "github:\n  webhookSecret: [hush-1, hush-2, hush-3]\n"],
  ["in a list", "github:\n  webhookSecret:\n    - hush-1\n    - hush-2\n    - hush-3\n"],
  ["between braces", "github: { app: { id: one, privateKey: hush-1 } }\n"],
  ["in a block", "github:\n  app:\n    privateKey: |\n      hush-1\n   hush-2\n"],
  ["with the line ends of Windows", "github:\r\n  webhookSecret: [hush-1, hush-2, hush-3]\r\n"],
  ["as a block's header", "github:\n  webhookSecret: |hush\n"],
  ["as a tag", "github:\n  webhookSecret: !hush a\n"],
  ["in quotes that do not end", 'github:\n  webhookSecret: "hush-1\n'],
  [
    "in a container",
    profile("container: { credentials: { username: a, password: hush-1, x: 1 } }"),
  ],
])("shows no secret that was written into the file %s", (_, text) => {
  using folder = configFolder(text);

  const read = folder.read();
  const message = "problems" in read ? configInvalid(read.problems).message : "valid";

  expect(message).toContain("berth.yml:");
  expect(message).not.toContain("hush");
});

it("shows no value of a variable", () => {
  const text = GITHUB.replace("github:\n", "github:\n  url: ${URL}\n");

  expect(problemsOf(text, { URL: "hush" }).join()).toMatch(/must be a URL(?!.*hush)/);
});

it("says that a file cannot be read", () => {
  using folder = configFolder("");
  folder[Symbol.dispose]();

  expect(() => folder.read()).toThrow("berth.yml cannot be read: there is no such file");
});
