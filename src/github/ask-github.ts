import type { Octokit } from "@octokit/rest";
import { z } from "zod";
import { BerthError } from "../../runner/errors.ts";
import { type ConnectOptions, connectOctokit, statusOf } from "./connect-octokit.ts";
import { type Asked, describeRefusal } from "./describe-refusal.ts";

export type Question<T> = {
  /** What it is for, at the start of an error: `Reading the run 7 of octo/hello`. */
  readonly what: string;
  /** What a good answer must hold. */
  readonly answer: z.ZodType<T>;
  /** For the placeholders of the route, the query and the body. */
  readonly parameters?: { readonly [name: string]: unknown };
  /** Asked once: doing it twice would do it twice. */
  readonly isOnce?: boolean;
};

/** GitHub's REST API behind one door: every answer is checked, every error a `BerthError` `GITHUB_REFUSED` or `GITHUB_UNREACHABLE`. */
export type Api = {
  readonly octokit: Octokit;
  /** `GET /repos/{owner}/{repo}` */
  ask<T>(route: string, question: Question<T>): Promise<T>;
  /** `undefined` when the answer has one of these statuses. */
  askUnless<T>(
    statuses: readonly number[],
    route: string,
    question: Question<T>,
  ): Promise<T | undefined>;
  /** All pages of a list, or as many as are wanted; `answer` is that of one item. */
  list<T>(route: string, question: Question<T>, isEnough?: (item: T) => boolean): Promise<T[]>;
  listUnless<T>(
    statuses: readonly number[],
    route: string,
    question: Question<T>,
  ): Promise<T[] | undefined>;
};

/** No such thing; an empty repository conflicts with questions about its commits; 422 is a commit that is not there. */
export const MISSING: readonly number[] = [404, 409, 422];

export function connectApi(options: ConnectOptions): Api {
  const octokit = connectOctokit(options);
  const { apiUrl, appId, installationId } = options;
  const asked = (what: string): Asked => ({ what, apiUrl, appId, installationId });

  async function askUnless<T>(
    statuses: readonly number[],
    route: string,
    question: Question<T>,
  ): Promise<T | undefined> {
    const { what, parameters, isOnce, answer } = question;
    const request = isOnce === true ? { request: { retries: 0 } } : {};
    try {
      const { data } = await octokit.request(route, { ...parameters, ...request });
      return check(answer, data, asked(what));
    } catch (error) {
      const described = describeRefusal(error, asked(what));
      if (isAmong(statuses, error, described)) return undefined;
      throw described;
    }
  }

  async function listUnless<T>(
    statuses: readonly number[],
    route: string,
    { what, parameters, answer }: Question<T>,
    isEnough?: (item: T) => boolean,
  ): Promise<T[] | undefined> {
    const found: T[] = [];
    try {
      const pages = octokit.paginate.iterator(route, { per_page: 100, ...parameters });
      for await (const { data } of pages) {
        for (const item of check(z.array(answer), data, asked(what))) {
          if (isEnough?.(item)) return found;
          found.push(item);
        }
      }
      return found;
    } catch (error) {
      const described = describeRefusal(error, asked(what));
      if (isAmong(statuses, error, described)) return undefined;
      throw described;
    }
  }

  return {
    octokit,
    askUnless,
    listUnless,
    // No status is left out, so there is an answer or an error.
    ask: async (route, question) => (await askUnless([], route, question)) as never,
    list: async (route, question, isEnough) =>
      (await listUnless([], route, question, isEnough)) as never,
  };
}

/** A 403 may also mean that we asked too often; then nobody has said no. */
function isAmong(statuses: readonly number[], error: unknown, described: BerthError): boolean {
  return described.code === "GITHUB_REFUSED" && statuses.includes(statusOf(error) ?? 0);
}

function check<T>(schema: z.ZodType<T>, data: unknown, { what, apiUrl }: Asked): T {
  const read = schema.safeParse(data);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new BerthError("GITHUB_UNREACHABLE", {
    message: `${what}: ${apiUrl} answered what GitHub does not: ${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}.`,
    remedy: "Check github.apiUrl in berth.yml, and the proxy in between.",
  });
}

/** `octo/hello` for the placeholders of a route. */
export function ofRepository(fullName: string): { owner: string; repo: string } {
  const [owner = "", repo = ""] = fullName.split("/");
  return { owner, repo };
}
