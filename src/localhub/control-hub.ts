import { BerthError } from "../../runner/errors.ts";
import { addInstallation } from "./build-hub.ts";
import { cancelRun, hasFailed, rerun } from "./change-runs.ts";
import { emitCheckRun } from "./check-events.ts";
import type { CheckRun } from "./checks.ts";
import { commitFiles } from "./commit-files.ts";
import { createRepository } from "./create-repository.ts";
import { deliver } from "./deliveries.ts";
import { dispatch } from "./dispatch.ts";
import { resolveCommit } from "./git-objects.ts";
import {
  type Account,
  findRepository,
  type Hub,
  type Installation,
  type Repository,
} from "./hub.ts";
import { approveJob, completeJob, startJob } from "./job-life.ts";
import type { By, HubCheckRun, HubJob, HubRun, LocalHub } from "./local-hub.ts";
import { createPull } from "./pulls.ts";
import { changeRefs } from "./push.ts";
import { limitOf } from "./rate-limit.ts";
import { Refusal } from "./refusal.ts";
import {
  accountPayload,
  apiUrl,
  installationPayload,
  minimalRepository,
} from "./repository-payload.ts";
import type { Job, Run } from "./runs.ts";
import { sendEvent } from "./start-runs.ts";

type Controls = Omit<LocalHub, "settled" | typeof Symbol.asyncDispose>;

const OTHER_RUNNER = { name: "hub-runner" };

/** What the hub's owner can do from the same process: all that people and runners do on GitHub. */
export function controlHub(hub: Hub, privateKey: string): Controls {
  const { id, clientId, slug } = hub.app;
  const repository = (name: string) => find(findRepository(hub, name), `repository ${name}`);
  return {
    url: hub.url,
    apiUrl: apiUrl(hub, ""),
    app: { id, clientId, slug, privateKey },
    webhookSecret: hub.webhook.secret,
    setWebhook(url, secret) {
      hub.webhook.url = url;
      if (secret !== undefined) hub.webhook.secret = secret;
    },
    setFaults: (faults) => hub.faults.set(faults),
    setRateLimitRemaining(login, remaining) {
      const installation = installationNamed(hub, login);
      const limit = limitOf(hub, { ...ANY_TOKEN, installation, permissions: {} });
      limit.used = limit.limit - remaining;
    },
    ...accountControls(hub),

    async createRepository(owner, options) {
      await createRepository(hub, find(hub.accounts.get(owner.toLowerCase()), owner), options);
    },
    async commit(name, commit, options) {
      const { folder, defaultBranch } = repository(name);
      const push = async () => {
        const from = await resolveCommit(folder, `refs/heads/${defaultBranch}`);
        return await commitFiles(folder, commit, { date: hub.now(), ...(from && { from }) });
      };
      return await changeRefs(hub, repository(name), actor(hub, options), push);
    },
    async createPullRequest(name, facts, options) {
      const author = actor(hub, options);
      return (await explained(() => createPull(hub, repository(name), facts, author))).number;
    },
    async dispatch(name, { workflow, ref, inputs = {} }, options) {
      const target = repository(name);
      const request = { workflow, ref: ref ?? target.defaultBranch, inputs };
      return (await explained(() => dispatch(hub, target, request, actor(hub, options)))).id;
    },
    async sendEvent(name, { fields = {}, ...event }, options) {
      const sender = actor(hub, options);
      const happening = { ...event, repository: repository(name), sender, fields };
      return (await sendEvent(hub, happening)).map((run) => run.id);
    },

    runs: () => [...hub.runs.values()].map(showRun),
    jobs: () => [...hub.jobs.values()].map(showJob),
    checkRuns: () => [...hub.checkRuns.values()].map(showCheckRun),
    deliveries: () => hub.deliveries,
    ...runControls(hub),
  };
}

const ANY_TOKEN = { kind: "installation", token: "", repositories: "all", expiresAtMs: 0 } as const;

type AccountControls = Pick<
  Controls,
  "tokenOf" | "cloneUrl" | "installationIdOf" | "install" | "uninstall"
>;

function accountControls(hub: Hub): AccountControls {
  const tokenOf = (login: string): string => {
    const account = find(hub.accounts.get(login.toLowerCase()), `user ${login}`);
    const tokens = [...hub.tokens].find(
      ([, credential]) => credential.kind === "user" && credential.account === account,
    );
    return find(tokens, `user ${login}`)[0];
  };
  return {
    tokenOf,
    cloneUrl(name, options) {
      const { fullName } = find(findRepository(hub, name), `repository ${name}`);
      const { login } = actor(hub, options);
      const url = new URL(`${hub.url}/${fullName}.git`);
      url.username = login;
      url.password = tokenOf(login);
      return url.href;
    },
    installationIdOf: (login) => installationNamed(hub, login).id,
    install(login, repositories = "all") {
      const account = find(hub.accounts.get(login.toLowerCase()), `account ${login}`);
      const installation = addInstallation(hub, account, { repositories });
      announceInstallation(hub, installation, "created");
      return installation.id;
    },
    uninstall(login) {
      const installation = installationNamed(hub, login);
      hub.installations.splice(hub.installations.indexOf(installation), 1);
      for (const [token, credential] of hub.tokens) {
        const isOfIt =
          credential.kind === "installation" && credential.installation === installation;
        if (isOfIt) hub.tokens.delete(token);
      }
      announceInstallation(hub, installation, "deleted");
    },
  };
}

type RunControls = Pick<
  Controls,
  | "approveJob"
  | "startJob"
  | "completeJob"
  | "cancelRun"
  | "rerun"
  | "rerequestCheckRun"
  | "pressCheckRunAction"
>;

function runControls(hub: Hub): RunControls {
  const job = (id: number) => find(hub.jobs.get(id), `job ${id}`);
  const run = (id: number) => find(hub.runs.get(id), `run ${id}`);
  const check = (id: number) => find(hub.checkRuns.get(id), `check run ${id}`);
  return {
    approveJob: (id, options) => approveJob(hub, job(id), actor(hub, options)),
    startJob: (id, runner = OTHER_RUNNER) => startJob(hub, job(id), runner),
    completeJob(id, result) {
      const ended = job(id);
      const hasRun = result.conclusion === "success" || result.conclusion === "failure";
      if (hasRun && ended.status === "queued") startJob(hub, ended, OTHER_RUNNER);
      completeJob(hub, ended, result, ended.run.actor);
    },
    cancelRun: (id, { force = false, ...by } = {}) =>
      explainedNow(() => cancelRun(hub, run(id), actor(hub, by), { force })),
    rerun: (id, { onlyFailed = false, ...by } = {}) =>
      explainedNow(() => rerun(hub, run(id), actor(hub, by), onlyFailed ? hasFailed : undefined)),
    rerequestCheckRun: (id, options) =>
      emitCheckRun(hub, check(id), "rerequested", actor(hub, options)),
    pressCheckRunAction(id, identifier, options) {
      const target = check(id);
      const action = target.actions.find((each) => each.identifier === identifier);
      find(action, `button '${identifier}' at check run ${id}`);
      emitCheckRun(hub, target, "requested_action", actor(hub, options), identifier);
    },
  };
}

function actor(hub: Hub, { by }: By = {}): Account {
  const users = [...hub.accounts.values()].filter(({ type }) => type === "User");
  const account = by === undefined ? users[0] : hub.accounts.get(by.toLowerCase());
  return find(account, `user ${by ?? "at all"}`);
}

function installationNamed(hub: Hub, login: string): Installation {
  const installation = hub.installations.find(
    ({ account }) => account.login.toLowerCase() === login.toLowerCase(),
  );
  return find(installation, `installation on ${login}`);
}

function announceInstallation(hub: Hub, installation: Installation, action: string): void {
  const isOfIt = ({ owner }: Repository) => owner === installation.account;
  const repositories = [...hub.repositories.values()].filter(isOfIt);
  const payload = {
    action,
    installation: installationPayload(hub, installation),
    repositories: repositories.map((repository) => minimalRepository(hub, repository)),
    sender: accountPayload(hub, actor(hub)),
  };
  hub.onEvent({ event: "installation", action, payload });
  deliver(hub, { event: "installation", action, payload }, { installation, repositoryId: null });
}

function showJob({ run, runner, ...job }: Job): HubJob {
  const { id, attempt, key, name, labels, status, conclusion, outputs } = job;
  return {
    ...{ id, runId: run.id, attempt, repository: run.repository.fullName, key, name, labels },
    ...{ status, conclusion, runner: runner?.name, outputs },
  };
}

function showRun(run: Run): HubRun {
  const { id, title, event, attempt, headSha, headBranch, status, conclusion } = run;
  return {
    ...{ id, repository: run.repository.fullName, path: run.entry.path, title, event, attempt },
    ...{ headSha, headBranch, status, conclusion },
  };
}

function showCheckRun({ repository, ...run }: CheckRun): HubCheckRun {
  const { id, owner, headSha, name, status, conclusion, externalId } = run;
  const { title, summary, text, annotations, actions } = run;
  return {
    ...{ id, repository: repository.fullName, owner, headSha, name, status, conclusion },
    ...{ externalId, title, summary, text, annotations: [...annotations], actions },
  };
}

function find<Thing>(thing: Thing | undefined, what: string): Thing {
  if (thing !== undefined) return thing;
  throw new BerthError("USAGE", { message: `The hub has no ${what}.` });
}

async function explained<Result>(act: () => Promise<Result>): Promise<Result> {
  try {
    return await act();
  } catch (error) {
    throw asUsage(error);
  }
}

function explainedNow(act: () => void): void {
  try {
    act();
  } catch (error) {
    throw asUsage(error);
  }
}

/** What GitHub would answer over HTTP, for a caller in the same process. */
function asUsage(error: unknown): unknown {
  if (!(error instanceof Refusal)) return error;
  const details = error.errors === undefined ? "" : ` ${JSON.stringify(error.errors)}`;
  return new BerthError("USAGE", { message: `${error.message}${details}`, cause: error });
}
