import { z } from "zod";
import { actorOf, type PullRequest } from "./hub.ts";
import { paginate } from "./paginate.ts";
import { closePull, createPull, showPull } from "./pulls.ts";
import { notFound } from "./refusal.ts";
import { type Call, ok, type Reply, type Route, readBody, repositoryOf } from "./route.ts";

const NewPull = z.object({
  title: z.string(),
  head: z.string(),
  base: z.string(),
  head_repo: z.string().optional(),
});
const PullChange = z.object({ state: z.enum(["open", "closed"]).optional() });
const read = { for: "repository", permission: "pull_requests", level: "read" } as const;
const write = { for: "repository", permission: "pull_requests", level: "write" } as const;
const base = "/repos/:owner/:repo/pulls";

/** Pull requests: opening, showing, closing. */
export const pullRoutes: readonly Route[] = [
  { method: "GET", path: base, access: read, handle: listPulls },
  { method: "POST", path: base, access: write, handle: openPull },
  {
    method: "GET",
    path: `${base}/:number`,
    access: read,
    handle: async (call) => ok(await showPull(call.hub, pullOf(call))),
  },
  { method: "PATCH", path: `${base}/:number`, access: write, handle: changePull },
];

async function listPulls(call: Call): Promise<Reply> {
  const state = call.query.get("state") ?? "open";
  const pulls = repositoryOf(call).pulls.filter((pull) => state === "all" || pull.state === state);
  const shown = await Promise.all(pulls.toReversed().map((pull) => showPull(call.hub, pull)));
  return paginate(call, shown, (pull) => pull);
}

async function openPull(call: Call): Promise<Reply> {
  const { head_repo: headRepository, ...facts } = readBody(call, NewPull);
  const pull = await createPull(
    call.hub,
    repositoryOf(call),
    { ...facts, ...(headRepository !== undefined && { headRepository }) },
    actorOf(call.hub, call.credential),
  );
  return { status: 201, body: await showPull(call.hub, pull) };
}

async function changePull(call: Call): Promise<Reply> {
  const pull = pullOf(call);
  const { state } = readBody(call, PullChange);
  if (state === "closed" && pull.state === "open") {
    await closePull(call.hub, pull, actorOf(call.hub, call.credential));
  }
  return ok(await showPull(call.hub, pull));
}

function pullOf(call: Call): PullRequest {
  const pull = repositoryOf(call).pulls.find(({ number }) => String(number) === call.params.number);
  if (!pull) throw notFound();
  return pull;
}
