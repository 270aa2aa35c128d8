import { z } from "zod";
import type { GitHubJob, GitHubRun, RepositoryOnGitHub } from "./installation.ts";

/** Who did something before their account was removed. */
const GHOST = { login: "ghost", id: 10137 };

const Person = z.object({ login: z.string(), id: z.number() });
const Time = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));

/** A run, but for what `GET /repos/{owner}/{repo}` knows of its repository. */
export const RunAnswer = z
  .object({
    id: z.number(),
    run_attempt: z.number().default(1),
    run_number: z.number(),
    event: z.string(),
    status: z.string().nullable(),
    conclusion: z.string().nullable(),
    head_sha: z.string(),
    head_branch: z.string().nullable(),
    path: z.string(),
    name: z.string().nullish(),
    display_title: z.string().nullish(),
    actor: Person.nullish(),
    triggering_actor: Person.nullish(),
    head_repository: z.object({ full_name: z.string() }).nullish(),
    pull_requests: z
      .array(
        z.object({
          number: z.number(),
          head: z.object({ sha: z.string() }),
          base: z.object({ ref: z.string() }),
        }),
      )
      .nullish(),
    created_at: Time,
  })
  .transform((run): Omit<GitHubRun, "repository"> => {
    const actor = run.actor ?? GHOST;
    const [path = run.path] = run.path.split("@");
    return {
      id: run.id,
      attempt: run.run_attempt,
      number: run.run_number,
      event: run.event,
      status: run.status ?? "queued",
      conclusion: run.conclusion,
      headSha: run.head_sha,
      headBranch: run.head_branch,
      path,
      workflowName: run.name ?? path,
      title: run.display_title ?? run.name ?? path,
      actor,
      triggeringActor: run.triggering_actor ?? actor,
      headRepository: run.head_repository?.full_name ?? null,
      pullRequests: (run.pull_requests ?? []).map(({ number, head, base }) => ({
        number,
        headSha: head.sha,
        baseRef: base.ref,
      })),
      createdAtMs: run.created_at,
    };
  });

export const JobAnswer = z
  .object({
    id: z.number(),
    name: z.string(),
    labels: z.array(z.string()),
    status: z.string(),
    conclusion: z.string().nullable(),
    runner_name: z.string().nullish(),
    created_at: Time,
  })
  .transform(
    ({ runner_name: runner, created_at: createdAtMs, ...job }): GitHubJob => ({
      ...job,
      // An empty name is GitHub's other way of saying that there is none.
      runnerName: runner || null,
      createdAtMs,
    }),
  );

export const RepositoryAnswer = z
  .object({
    id: z.number(),
    full_name: z.string(),
    owner: Person,
    default_branch: z.string(),
    private: z.boolean(),
  })
  .transform(
    (repository): RepositoryOnGitHub => ({
      id: repository.id,
      fullName: repository.full_name,
      owner: repository.owner,
      defaultBranch: repository.default_branch,
      isPrivate: repository.private,
    }),
  );
