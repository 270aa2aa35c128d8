import { z } from "zod";
import { emitCheckSuite } from "./check-events.ts";
import { checkSuitePayload } from "./check-payload.ts";
import { suiteFor } from "./checks.ts";
import { resolveCommit } from "./git-objects.ts";
import { actorOf, timestamp } from "./hub.ts";
import { counted, paginate } from "./paginate.ts";
import { Refusal } from "./refusal.ts";
import {
  type Call,
  findById,
  ok,
  type Reply,
  type Route,
  readBody,
  repositoryOf,
} from "./route.ts";

const NewSuite = z.object({ head_sha: z.string() });
const read = { for: "repository", permission: "checks", level: "read" } as const;
const write = { for: "repository", permission: "checks", level: "write" } as const;
const base = "/repos/:owner/:repo";

/** Check suites: one for each App and commit. */
export const checkSuiteRoutes: readonly Route[] = [
  {
    method: "GET",
    path: `${base}/check-suites/:id`,
    access: read,
    handle: (call) => ok(checkSuitePayload(call.hub, findById(call, call.hub.checkSuites))),
  },
  { method: "POST", path: `${base}/check-suites`, access: write, handle: createSuite },
  {
    method: "POST",
    path: `${base}/check-suites/:id/rerequest`,
    access: write,
    handle(call) {
      const suite = findById(call, call.hub.checkSuites);
      emitCheckSuite(call.hub, suite, "rerequested", actorOf(call.hub, call.credential));
      return { status: 201, body: {} };
    },
  },
  { method: "GET", path: `${base}/commits/:ref/check-suites`, access: read, handle: listSuites },
];

async function createSuite(call: Call): Promise<Reply> {
  const { hub } = call;
  const repository = repositoryOf(call);
  const headSha = await commitNamed(call, readBody(call, NewSuite).head_sha);
  const before = hub.checkSuites.size;
  const at = timestamp(hub);
  const facts = { repository, owner: "app", headSha, headBranch: null, createdAt: at } as const;
  const suite = suiteFor(hub, facts);
  const status = hub.checkSuites.size > before ? 201 : 200;
  return { status, body: checkSuitePayload(hub, suite) };
}

async function listSuites(call: Call): Promise<Reply> {
  const { hub } = call;
  const repository = repositoryOf(call);
  const sha = await commitNamed(call, call.params.ref ?? "");
  const suites = [...hub.checkSuites.values()].filter(
    (suite) => suite.repository === repository && suite.headSha === sha,
  );
  return paginate(call, suites, (suite) => checkSuitePayload(hub, suite), counted("check_suites"));
}

async function commitNamed(call: Call, ref: string): Promise<string> {
  const sha = await resolveCommit(repositoryOf(call).folder, ref);
  if (sha === undefined) throw new Refusal(422, `No commit found for SHA: ${ref}`);
  return sha;
}
