import { z } from "zod";
import type { Log } from "../log.ts";
import { type Api, MISSING, ofRepository } from "./ask-github.ts";
import type { Installation } from "./installation.ts";
import { JsonObjectAnswer } from "./json-answer.ts";
import { JobAnswer, RepositoryAnswer, RunAnswer } from "./run-answers.ts";

type Reading = Pick<
  Installation,
  | "run"
  | "runJobs"
  | "openRuns"
  | "file"
  | "mergeCommit"
  | "commitParents"
  | "refCommit"
  | "pullRequest"
  | "userKeys"
  | "variables"
>;

/** In the order in which a run passes through them, so that one that moves on meanwhile is met again. */
const OPEN = ["waiting", "queued", "in_progress"];
const RAW = { accept: "application/vnd.github.raw+json" };

const Ref = z.object({ object: z.object({ sha: z.string() }) });
const Commit = z.object({ parents: z.array(z.object({ sha: z.string() })) });
const PublicKey = z.object({ key: z.string().regex(/^\S+ \S+$/) });
const Variable = z.object({ name: z.string(), value: z.string() });
/** Octokit takes what it knows as text for text; a folder comes as its list. */
const RawFile = z.unknown().transform((data) => {
  if (typeof data === "string") return data;
  return isBytes(data) ? new TextDecoder().decode(data) : undefined;
});

/** What an installation can read of repositories: runs, files, commits, variables. */
export function createReading(api: Api, log: Log): Reading {
  const repositoryOf = (repository: string) =>
    api.ask("GET /repos/{owner}/{repo}", {
      what: `Reading ${repository}`,
      parameters: ofRepository(repository),
      answer: RepositoryAnswer,
    });

  async function parentsOf(repository: string, sha: string): Promise<string[] | undefined> {
    const commit = await api.askUnless(
      MISSING,
      "GET /repos/{owner}/{repo}/git/commits/{commit_sha}",
      {
        what: `Reading the commit ${sha} of ${repository}`,
        parameters: { ...ofRepository(repository), commit_sha: sha },
        answer: Commit,
      },
    );
    return commit?.parents.map((parent) => parent.sha);
  }

  return {
    async run(repository, runId, attempt) {
      const route = "GET /repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}";
      const [run, about] = await Promise.all([
        api.ask(route, {
          what: `Reading attempt ${attempt} of run ${runId} of ${repository}`,
          parameters: { ...ofRepository(repository), run_id: runId, attempt_number: attempt },
          answer: RunAnswer,
        }),
        repositoryOf(repository),
      ]);
      return { ...run, repository: about };
    },

    runJobs: (repository, runId, attempt) =>
      api.list("GET /repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}/jobs", {
        what: `Listing the jobs of run ${runId} of ${repository}`,
        parameters: { ...ofRepository(repository), run_id: runId, attempt_number: attempt },
        answer: JobAnswer,
      }),

    async openRuns(repository) {
      const found = new Map<number, z.infer<typeof RunAnswer>>();
      for (const status of OPEN) {
        const runs = await api.list("GET /repos/{owner}/{repo}/actions/runs", {
          what: `Listing the ${status} runs of ${repository}`,
          parameters: { ...ofRepository(repository), status },
          answer: RunAnswer,
        });
        for (const run of runs) found.set(run.id, run);
      }
      if (found.size === 0) return [];
      const about = await repositoryOf(repository);
      return [...found.values()].map((run) => ({ ...run, repository: about }));
    },

    file: (repository, path, commit) =>
      api.askUnless(MISSING, "GET /repos/{owner}/{repo}/contents/{path}", {
        what: `Reading ${path} of ${repository} at ${commit}`,
        parameters: { ...ofRepository(repository), path, ref: commit, headers: RAW },
        answer: RawFile,
      }),

    async mergeCommit(repository, pullNumber) {
      const ref = await api.askUnless(MISSING, "GET /repos/{owner}/{repo}/git/ref/{ref}", {
        what: `Reading the merge commit of pull request ${pullNumber} of ${repository}`,
        parameters: { ...ofRepository(repository), ref: `pull/${pullNumber}/merge` },
        answer: Ref,
      });
      const sha = ref?.object.sha;
      const parents = sha === undefined ? undefined : await parentsOf(repository, sha);
      return sha === undefined || parents === undefined ? undefined : { sha, parents };
    },

    commitParents: parentsOf,

    refCommit: (repository, ref) =>
      // Not the ref itself: that of an annotated tag is no commit.
      api.askUnless(MISSING, "GET /repos/{owner}/{repo}/commits/{ref}", {
        what: `Reading ${ref} of ${repository}`,
        parameters: {
          ...ofRepository(repository),
          ref,
          headers: { accept: "application/vnd.github.sha" },
        },
        answer: RawFile.pipe(z.string().regex(/^[0-9a-f]{40,64}$/)),
      }),

    pullRequest: (repository, number) =>
      api.askUnless(MISSING, "GET /repos/{owner}/{repo}/pulls/{pull_number}", {
        what: `Reading pull request ${number} of ${repository}`,
        parameters: { ...ofRepository(repository), pull_number: number },
        answer: JsonObjectAnswer,
      }),

    async userKeys(login) {
      const found = await api.listUnless([404], "GET /users/{username}/keys", {
        what: `Listing the SSH keys of ${login}`,
        parameters: { username: login },
        answer: PublicKey,
      });
      return (found ?? []).map(({ key }) => key);
    },

    variables: (repository) => readVariables(api, repository, log),
  };
}

/** The repository's win over the organisation's. Without the permission there are none, which the log says. */
async function readVariables(
  api: Api,
  repository: string,
  log: Log,
): Promise<{ [name: string]: string }> {
  async function read(kind: "organization-variables" | "variables") {
    const route = `GET /repos/{owner}/{repo}/actions/${kind}`;
    const what = `Listing the ${kind.replace("-", " ")} of ${repository}`;
    const parameters = { ...ofRepository(repository), per_page: 30 };
    const found = await api.listUnless([403, 404], route, { what, parameters, answer: Variable });
    if (found === undefined) {
      log.warn(
        { repository, kind },
        "variables cannot be read: the App may lack actions_variables: read",
      );
    }
    return found ?? [];
  }
  const kinds = await Promise.all([read("organization-variables"), read("variables")]);
  return Object.fromEntries(kinds.flat().map(({ name, value }) => [name, value]));
}

function isBytes(data: unknown): data is ArrayBuffer {
  return Object.prototype.toString.call(data) === "[object ArrayBuffer]";
}
