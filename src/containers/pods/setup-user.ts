import type Docker from "dockerode";
import { BerthError } from "../../../runner/errors.ts";
import { engineError } from "../engine-error.ts";
import { runInContainer } from "./run-in-container.ts";
import { SETUP_USER_SCRIPT, TRY_LOGIN_SCRIPT } from "./setup-user-script.ts";
import { userName } from "./user-name.ts";

export type SetupUserOptions = {
  readonly user: string;
  /** Public keys, one line each as in authorized_keys; they join those that the user has. */
  readonly keys: readonly string[];
  /** Where the SSH server is to listen, inside. Left out: nothing listens, and a login comes through `sshd -i` on a stream of an exec. */
  readonly sshPort?: number | undefined;
  /** UDP ports for mosh, inside. Left out: mosh is installed and not tried. */
  readonly moshPorts?: { readonly first: number; readonly last: number } | undefined;
  /** Hears what package managers and the like say. */
  progress(line: string): void;
  readonly signal: AbortSignal;
};

/** A user in a container who logged in. */
export type ReadyUser = {
  readonly user: string;
  readonly uid: number;
  /** Of the SSH server, as known_hosts has keys: `ssh-ed25519 AAAA…`. */
  readonly hostKey: string;
  /** Where `sshd` is, inside. */
  readonly sshd: string;
  /** Why there is no mosh; `undefined` when it works, or was not to be tried. */
  readonly moshProblem: string | undefined;
};

/** Package servers may be slow; more is a server that does not answer. */
const SETUP_LIMIT_MS = 10 * 60_000;
const TRY_LIMIT_MS = 60_000;

/**
 * Makes a user in a running container, of any image with apt, apk or dnf, or with the programs already there: passwordless sudo, an SSH server with keys only,
 * mosh, and the group of an inner engine. What the container runs goes on untouched. Done twice it changes nothing, and starts the server again where the
 * container was restarted. Then it logs in, over SSH and by a mosh session, as a person would.
 *
 * @throws {BerthError} `SETUP_FAILED` with the cause; `CONTAINER_OPTION` for a name or key that cannot be; `ENGINE_LOST`, `ENGINE_REFUSED`
 */
export async function setupUser(
  docker: Docker,
  containerId: string,
  options: SetupUserOptions,
): Promise<ReadyUser> {
  const { signal, progress } = options;
  const user = userName(options.user, "--setup-user");
  const env = await containerEnv(docker, containerId);
  const login = {
    POD_USER: user,
    POD_SSH_PORT: options.sshPort === undefined ? "" : String(options.sshPort),
  };
  const setup = await runInContainer(docker, containerId, SETUP_USER_SCRIPT, {
    env: {
      ...login,
      POD_KEYS: options.keys.join("\n"),
      POD_SETENV: setEnvOf(env),
      POD_PATH: pathOf(env),
    },
    onLine: progress,
    limitMs: SETUP_LIMIT_MS,
    signal,
  });
  const facts = readFacts(setup.stdout);
  const { hostkey, sshd, failed } = facts;
  if (setup.exitCode !== 0 || !hostkey || !sshd) throw notMade(user, failed, setup);

  progress(`tries to log in as ${user}`);
  const { moshPorts } = options;
  const hasMosh = facts.mosh !== undefined && facts.mosh !== "";
  const tried = await runInContainer(docker, containerId, TRY_LOGIN_SCRIPT, {
    env: {
      ...login,
      POD_MOSH_PORTS: moshPorts && hasMosh ? `${moshPorts.first}:${moshPorts.last}` : "",
      POD_LOCALE: "C.UTF-8",
    },
    tty: true,
    limitMs: TRY_LIMIT_MS,
    signal,
  });
  const result = readFacts(tried.stdout);
  if (result.ssh !== "ok") {
    const why = result.ssh || result.failed || tried.stdout.trim().slice(-300);
    throw new BerthError("SETUP_FAILED", {
      message: `The user ${user} was made, and cannot log in over SSH: ${why || "no reason was given"}`,
      remedy: "See /etc/berth-pod/sshd.log in the container.",
    });
  }
  const missing = hasMosh ? undefined : facts.moshwhy || "the image has no mosh-server";
  const moshProblem =
    missing ?? (result.mosh === "ok" ? undefined : result.mosh || "it did not answer");
  return {
    ...{ user, uid: Number(facts.uid), hostKey: hostkey, sshd },
    moshProblem: moshPorts === undefined ? undefined : moshProblem,
  };
}

async function containerEnv(docker: Docker, containerId: string): Promise<readonly string[]> {
  try {
    const { State: state, Config: config } = await docker.getContainer(containerId).inspect();
    if (state.Running && !state.Paused) return config.Env ?? [];
    throw new BerthError("SETUP_FAILED", {
      message: state.Paused
        ? "The container is paused."
        : `The container does not run: it ended with exit code ${state.ExitCode}.`,
      remedy: "Give it a command that stays, such as `sleep infinity`.",
    });
  } catch (error) {
    throw engineError(error, "inspect the container");
  }
}

/**
 * The container's own variables for sessions, as the one `SetEnv` line of sshd_config takes them: what it cannot hold is left out. A session without a UTF-8
 * locale could not have mosh.
 */
export function setEnvOf(env: readonly string[]): string {
  const names = new Set(env.map((entry) => entry.split("=", 1)[0]));
  const hasLocale = names.has("LANG") || names.has("LC_ALL");
  return [...env, ...(hasLocale ? [] : ["LANG=C.UTF-8"])]
    .filter((entry) => /^[A-Za-z_][A-Za-z0-9_]*=[^"\\\p{Cc}]*$/u.test(entry))
    .filter((entry) => !/^(HOME|HOSTNAME|USER|LOGNAME|SHELL|TERM)=/.test(entry))
    .map((entry) => `"${entry}"`)
    .join(" ");
}

function pathOf(env: readonly string[]): string {
  const path = env.find((entry) => entry.startsWith("PATH="))?.slice("PATH=".length) ?? "";
  return /^[\w:/.@+ -]*$/.test(path) ? path : "";
}

function readFacts(printed: string): { [name: string]: string } {
  const lines = printed.split(/\r?\n/).map((line) => /^([a-z]+)=(.*)$/.exec(line));
  return Object.fromEntries(
    lines.flatMap((match) => (match ? [[match[1] ?? "", (match[2] ?? "").trim()]] : [])),
  );
}

function notMade(
  user: string,
  failed: string | undefined,
  { exitCode, stderr }: { readonly exitCode: number; readonly stderr: string },
): BerthError {
  const last = stderr.trim().split("\n").slice(-2).join(" ").slice(-400);
  const isShellMissing = exitCode === 127 && failed === undefined;
  const why = failed ?? (isShellMissing ? "the image has no /bin/sh" : `exit code ${exitCode}`);
  return new BerthError("SETUP_FAILED", {
    message: `The user ${user} could not be made: ${why}.${last === "" ? "" : ` It said: ${last}`}`,
    remedy:
      "Use an image with apt, apk or dnf that reaches its package server, or one that has sshd, sudo and mosh already.",
  });
}
