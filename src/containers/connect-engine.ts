import { readFile } from "node:fs/promises";
import { join } from "node:path";
import Docker from "dockerode";
import { BerthError } from "../../runner/errors.ts";
import { type ContextEndpoint, currentContext } from "./docker-context.ts";
import { reasonOf, systemCodeOf } from "./engine-error.ts";
import { hearCutAnswers } from "./hear-cut-answers.ts";
import { type EngineCommand, tellCommands } from "./tell-commands.ts";

/** A container engine that answered. */
export type Engine = {
  readonly docker: Docker;
  /** `unix:///var/run/docker.sock` */
  readonly endpoint: string;
  readonly version: string;
  readonly apiVersion: string;
  readonly source: EngineSource;
  /** Where `docker login` keeps its credentials. */
  readonly dockerConfigDir: string;
};

export type EngineSource =
  | "--docker"
  | "docker in berth.yml"
  | "DOCKER_HOST"
  | "docker context"
  | "default socket"
  | "rootless socket"
  | "berth"
  | "ssh";

export type ConnectEngineOptions = {
  /** `--docker` */
  readonly endpoint?: string | undefined;
  /** Who named `endpoint`, for errors; `--docker` when left out. */
  readonly endpointSource?: "--docker" | "docker in berth.yml";
  readonly env: { readonly [name: string]: string | undefined };
  readonly home: string;
  readonly uid: number;
  /** The folder that has Berth's own engine in `engine/docker.sock`. */
  readonly stateDir: string;
  /** Where the system's engine listens; `/var/run/docker.sock` but for tests. */
  readonly defaultSocket?: string;
  /** Files for the engine at `endpoint`, which is then spoken to over TLS; its certificate is checked. */
  readonly tls?:
    | {
        readonly caFile?: string | undefined;
        readonly certFile: string;
        readonly keyFile: string;
      }
    | undefined;
  /** The longest wait for one engine's answer, in milliseconds. */
  readonly timeoutMs?: number;
  /** Hears of each request to the engine. */
  onCommand?(command: EngineCommand): void;
};

type Candidate = {
  readonly source: EngineSource;
  readonly endpoint: string;
  /** Folder with `ca.pem`, `cert.pem`, `key.pem`; their presence means TLS. */
  readonly certificates?: string | undefined;
  /** Files of the configuration, instead of such a folder. */
  readonly tls?: ConnectEngineOptions["tls"];
  readonly verify: boolean;
};

type Silence = { readonly source: EngineSource; readonly endpoint: string; readonly why: string };

/**
 * Finds the container engine: the one that was named (`--docker`, else `DOCKER_HOST`, else the docker context in use), else the first
 * that answers of the system's socket, this user's rootless socket and Berth's own engine.
 *
 * @throws {BerthError} `ENGINE_NOT_FOUND`, with each place that was looked at and why it did not do.
 */
export async function connectEngine(options: ConnectEngineOptions): Promise<Engine> {
  const dockerConfigDir = options.env.DOCKER_CONFIG || join(options.home, ".docker");
  const silent: Silence[] = [];

  for (const candidate of await candidates(options, dockerConfigDir)) {
    const { source, endpoint } = candidate;
    try {
      const docker = await openEndpoint(candidate);
      hearCutAnswers(docker);
      if (options.onCommand !== undefined) tellCommands(docker, options.onCommand);
      const { Version, ApiVersion } = await answerOf(docker, options.timeoutMs ?? 5000);
      return {
        docker,
        endpoint,
        version: Version,
        apiVersion: ApiVersion,
        source,
        dockerConfigDir,
      };
    } catch (error) {
      silent.push({ source, endpoint, why: whySilent(error) });
    }
  }
  throw engineNotFound(silent, options.stateDir);
}

/** Whoever names an engine means that one: nothing else is tried beside it. */
async function candidates(
  {
    endpoint,
    endpointSource = "--docker",
    env,
    home,
    uid,
    stateDir,
    defaultSocket,
    tls: files,
  }: ConnectEngineOptions,
  dockerConfigDir: string,
): Promise<Candidate[]> {
  const tls = env.DOCKER_TLS_VERIFY || env.DOCKER_TLS || env.DOCKER_CERT_PATH;
  const certificates = tls ? env.DOCKER_CERT_PATH || dockerConfigDir : undefined;
  const verify = Boolean(env.DOCKER_TLS_VERIFY);
  if (endpoint) return [{ source: endpointSource, endpoint, certificates, verify, tls: files }];
  if (env.DOCKER_HOST) {
    return [{ source: "DOCKER_HOST", endpoint: env.DOCKER_HOST, certificates, verify }];
  }

  const context = await contextInUse(dockerConfigDir, env);
  if (context !== undefined) {
    const { host, skipVerify } = context;
    return [
      {
        source: "docker context",
        endpoint: host,
        certificates: context.certificates,
        verify: !skipVerify,
      },
    ];
  }

  const rootless = [env.XDG_RUNTIME_DIR, `/run/user/${uid}`, join(home, ".docker", "run")]
    .filter((folder) => folder !== undefined && folder !== "")
    .map((folder) => `unix://${folder}/docker.sock`);
  return [
    local("default socket", `unix://${defaultSocket ?? "/var/run/docker.sock"}`),
    ...[...new Set(rootless)].map((path) => local("rootless socket", path)),
    local("berth", `unix://${join(stateDir, "engine", "docker.sock")}`),
  ];
}

function local(source: EngineSource, endpoint: string): Candidate {
  return { source, endpoint, verify: false };
}

async function contextInUse(
  dockerConfigDir: string,
  env: ConnectEngineOptions["env"],
): Promise<ContextEndpoint | undefined> {
  try {
    return await currentContext(dockerConfigDir, env);
  } catch (cause) {
    throw new BerthError("ENGINE_NOT_FOUND", {
      message: "The docker context in use cannot be read.",
      remedy: "Run `docker context ls`, then `docker context use` with one of that list.",
      cause,
    });
  }
}

async function openEndpoint(candidate: Candidate): Promise<Docker> {
  const { endpoint } = candidate;
  // dockerode would fill what is left out from this process's environment, hence every key.
  const nothing = { socketPath: undefined, host: undefined, port: undefined, timeout: undefined };
  if (endpoint.startsWith("unix://") || endpoint.startsWith("/")) {
    const socketPath = endpoint.replace(/^unix:\/\//, "") || "/var/run/docker.sock";
    return new Docker({ ...nothing, protocol: "http", socketPath });
  }

  const url = URL.parse(/^[a-z]+:\/\//.test(endpoint) ? endpoint : `tcp://${endpoint}`);
  if (url === null || url.hostname === "") throw new Error("it is not an address of an engine");
  if (!["tcp:", "http:", "https:"].includes(url.protocol)) {
    throw new Error(`Berth does not speak ${url.protocol}// to an engine; use unix:// or tcp://`);
  }
  const keys = await keysOf(candidate);
  const secure = url.protocol === "https:" || keys !== undefined;
  return new Docker({
    ...nothing,
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port || (secure ? "2376" : "2375"),
    protocol: secure ? "https" : "http",
    ...keys,
  });
}

type Keys = { ca?: Buffer; cert: Buffer; key: Buffer };

async function keysOf({ certificates, verify, tls }: Candidate): Promise<Keys | undefined> {
  if (tls === undefined) {
    return certificates === undefined ? undefined : await readCertificates(certificates, verify);
  }
  try {
    const ca = tls.caFile === undefined ? {} : { ca: await readFile(tls.caFile) };
    return { ...ca, cert: await readFile(tls.certFile), key: await readFile(tls.keyFile) };
  } catch (cause) {
    throw new Error(`the files of its tls cannot be read (${reasonOf(cause)})`, { cause });
  }
}

/** `undefined` when the folder has none and none are needed. */
async function readCertificates(folder: string, verify: boolean): Promise<Keys | undefined> {
  const read = (name: string) => readFile(join(folder, name));
  try {
    const [cert, key] = await Promise.all([read("cert.pem"), read("key.pem")]);
    const ca = await read("ca.pem").catch((error) => {
      if (verify) throw error;
      return undefined;
    });
    return { ...(ca && { ca }), cert, key };
  } catch (cause) {
    if (systemCodeOf(cause) === "ENOENT" && !verify) return undefined;
    throw new Error(`its certificates in ${folder} cannot be read`, { cause });
  }
}

/** Asks an engine who it is. Throws why it does not tell. */
export async function answerOf(
  docker: Docker,
  timeoutMs: number,
): Promise<{ Version: string; ApiVersion: string }> {
  const signal = AbortSignal.timeout(timeoutMs);
  const silence = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () =>
      reject(new Error(`it did not answer within ${timeoutMs / 1000} s`)),
    );
  });
  const answer = await Promise.race([docker.version(), silence]);
  if (typeof answer?.ApiVersion !== "string") throw new Error("what answers there is no engine");
  return answer;
}

function whySilent(error: unknown): string {
  switch (systemCodeOf(error)) {
    case "ENOENT":
      return "there is no such socket";
    case "ECONNREFUSED":
    case "ENOTSOCK":
      return "nobody listens there";
    case "EACCES":
    case "EPERM":
      return "this user may not open it";
    case "ENOTFOUND":
      return "there is no host of that name";
    default:
      return reasonOf(error);
  }
}

function engineNotFound(silent: readonly Silence[], stateDir: string): BerthError {
  const list = silent.map(({ source, endpoint, why }) => `  ${endpoint} (${source}): ${why}`);
  const named = silent.find(({ source }) => source !== "default socket" && silent.length === 1);
  return new BerthError("ENGINE_NOT_FOUND", {
    message: `No container engine answers. Looked at:\n${list.join("\n")}`,
    remedy: remedyFor(silent, named, stateDir),
  });
}

function remedyFor(
  silent: readonly Silence[],
  named: Silence | undefined,
  stateDir: string,
): string {
  if (named !== undefined) {
    return `Start that engine, or correct ${named.source}; without it Berth looks for one by itself.`;
  }
  if (silent.some(({ why }) => why === "this user may not open it")) {
    return "Let this user use Docker (`sudo usermod -aG docker $USER`, then log in again), or set up rootless Docker.";
  }
  return `Start Docker, or run \`berth demo\`: it sets up an engine of its own below ${stateDir}. \`--backend local\` needs none.`;
}
