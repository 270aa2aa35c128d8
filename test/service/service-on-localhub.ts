import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import type { HubCheckRun, LocalHub } from "../../src/localhub/local-hub.ts";
import { startLocalHub } from "../../src/localhub/start-local-hub.ts";
import { testEngine } from "../engine.ts";

/** The command finds its Node as a user's does. */
const NODE = dirname(process.execPath);
const COMMAND = join(import.meta.dirname, "../../dist/berth.js");
const REPOSITORY = "octo/hello";
const LOOK_AGAIN_MS = 50;
/** A test that waits for nothing ends, and says what the service said last. */
const PATIENCE_MS = 30_000;

export type ServiceOptions = {
  /** Files of the repository `octo/hello`. */
  readonly files: { readonly [path: string]: string };
  /** Over that of a service with one host of four slots. */
  readonly config?: object;
  readonly env?: { readonly [name: string]: string };
  readonly hub?: Parameters<typeof startLocalHub>[0];
  /** How long `until` waits for something; half a minute when left out. */
  readonly patienceMs?: number;
};

/** The built `berth serve` in a process of its own, beside a hub with one repository. Disposing of it ends and removes both. */
export type TestService = AsyncDisposable & {
  readonly hub: LocalHub;
  readonly folder: string;
  /** Of the process that runs now. */
  pid(): number | undefined;
  /** What it has said on stderr, in all its lives. */
  said(): string;
  start(): Promise<void>;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Runs another command with the same configuration. */
  berth(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }>;
  /** Pushes to the repository. */
  push(files: { [path: string]: string }): Promise<string>;
  /** The checks that Berth made, by what follows `Berth / `. */
  checks(): { [name: string]: HubCheckRun };
  /** Waits until something holds; looks now and again. */
  until<T>(look: () => T | undefined | false | Promise<T | undefined | false>): Promise<T>;
  /** What is left of the run's jobs in the engine. */
  leftovers(): Promise<string[]>;
};

export async function startServiceOnLocalhub(options: ServiceOptions): Promise<TestService> {
  const folder = await mkdtemp(join(tmpdir(), "berth-service-"));
  const hub = await startLocalHub({
    organizations: [{ login: "octo", repositories: [{ name: "hello", files: options.files }] }],
    users: ["octocat", "stranger"],
    webhook: { secret: "s3cret" },
    // Ids of runs are in names of containers, and several hubs may share the engine.
    firstId: process.pid * 100_000,
    ...options.hub,
  });
  await writeFile(join(folder, "key.pem"), hub.app.privateKey, { mode: 0o600 });
  const config = {
    github: {
      url: hub.url,
      apiUrl: hub.apiUrl,
      app: { id: hub.app.id, privateKeyFile: "key.pem" },
      webhookSecret: "s3cret",
    },
    listen: "127.0.0.1:0",
    hosts: [{ name: "here", slots: 4 }],
    store: { path: "store" },
    ...options.config,
  };
  await writeFile(join(folder, "berth.yml"), stringify(config));

  const env = { ...process.env, PATH: `${NODE}:${process.env.PATH}`, ...options.env };
  const configured = ["-c", join(folder, "berth.yml")];
  let child: ChildProcess | undefined;
  let said = "";

  async function start(): Promise<void> {
    const from = said.length;
    const stdio = ["ignore", "ignore", "pipe"] as const;
    const started = spawn(COMMAND, ["serve", ...configured], { env, stdio: [...stdio] });
    child = started;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    started.stderr?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      const url = /^listening on (\S+)$/m.exec(said.slice(from))?.[1];
      if (url !== undefined) resolve(url);
    });
    started.on("exit", () => reject(new Error(`berth serve ended:\n${said.slice(from)}`)));
    hub.setWebhook(`${await promise}/webhooks/github`, "s3cret");
  }

  async function end(signal: NodeJS.Signals): Promise<number | null> {
    const ending = child;
    if (ending === undefined) return null;
    child = undefined;
    if (ending.exitCode === null && ending.signalCode === null) {
      const exit = once(ending, "exit");
      ending.kill(signal);
      await exit;
    }
    return ending.exitCode;
  }

  async function leftovers(): Promise<string[]> {
    const { docker } = await testEngine();
    const runs = [...new Set(hub.runs().map(({ id }) => String(id)))];
    const isOurs = (labels: { [name: string]: string } | undefined) =>
      runs.some((id) => labels?.["io.berth.run"]?.startsWith(`${id}-`));
    const filters = { label: ["io.berth.run"] };
    const [containers, networks, volumes] = await Promise.all([
      docker.listContainers({ all: true, filters }),
      docker.listNetworks({ filters }),
      docker.listVolumes({ filters }),
    ]);
    return [
      ...containers.filter(({ Labels }) => isOurs(Labels)).map(({ Names }) => `container ${Names}`),
      ...networks.filter(({ Labels }) => isOurs(Labels)).map(({ Name }) => `network ${Name}`),
      ...volumes.Volumes.filter(({ Labels }) => isOurs(Labels)).map(({ Name }) => `volume ${Name}`),
    ];
  }

  try {
    await start();
  } catch (error) {
    await hub[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    hub,
    folder,
    pid: () => child?.pid,
    said: () => said,
    start,
    stop: () => end("SIGTERM"),
    kill: async () => void (await end("SIGKILL")),
    async berth(...args) {
      const ran = spawn(COMMAND, [...args, ...configured], { env });
      let [stdout, stderr] = ["", ""];
      ran.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
      ran.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
      await once(ran, "close");
      return { code: ran.exitCode, stdout, stderr };
    },
    push: (files) => hub.commit(REPOSITORY, { branch: "main", message: "Change", files }),
    checks() {
      const ours = hub.checkRuns().filter(({ owner }) => owner === "app");
      return Object.fromEntries(ours.map((check) => [check.name.replace("Berth / ", ""), check]));
    },
    async until(look) {
      const until = Date.now() + (options.patienceMs ?? PATIENCE_MS);
      while (Date.now() < until) {
        const found = await look();
        if (found !== undefined && found !== false) return found;
        await sleep(LOOK_AGAIN_MS);
      }
      throw new Error(`Waited in vain: ${look}\n${said.slice(-4_000)}`);
    },
    leftovers,
    async [Symbol.asyncDispose]() {
      await end("SIGKILL");
      await hub[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
