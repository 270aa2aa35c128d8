import { z } from "zod";
import { healthRoutes } from "./health-routes.ts";
import type { HttpReply, HttpRequest, Route } from "./route.ts";
import type { ServiceApi } from "./service-api.ts";

const MAX_JOBS = 1_000;
/** How many ids an answer lists that one cut short could stand for. */
const MAX_CANDIDATES = 10;

const ListQuery = z.object({
  open: z.enum(["0", "1"]).default("0"),
  limit: z.coerce.number().int().min(1).max(MAX_JOBS).default(100),
});

const By = z.string().min(1).max(100);
const CancelBody = z.object({ by: By.default("berth jobs cancel") });
const ShellBody = z.object({ by: By.default("berth jobs ssh") });

/** What the service tells of its jobs and hosts, and what it can be asked to do. Logs are streams, and not here. */
export function apiRoutes(api: ServiceApi): Route[] {
  return [
    { method: "GET", path: "/api/jobs", handle: (request) => listJobs(api, request) },
    {
      method: "GET",
      path: "/api/jobs/:id",
      handle: ({ params }) => answerJob(api, params, (id) => api.job(id)),
    },
    {
      method: "GET",
      path: "/api/jobs/:id/why",
      handle: ({ params }) =>
        answerJob(api, params, async (id) => {
          const why = await api.why(id);
          return why && { id, why };
        }),
    },
    { method: "POST", path: "/api/jobs/:id/shell", handle: (request) => shell(api, request) },
    { method: "POST", path: "/api/jobs/:id/cancel", handle: (request) => cancel(api, request) },
    {
      method: "GET",
      path: "/api/hosts",
      handle: async () => ({ status: 200, body: { hosts: await api.hosts() } }),
    },
    drainRoute(api, "drain"),
    drainRoute(api, "undrain"),
    ...healthRoutes(() => api.heartbeats()),
  ];
}

/** The whole id of a job, of which the beginning is enough where that is unique; else what to answer. */
export async function findJob(
  api: ServiceApi,
  id: string,
): Promise<{ readonly id: string } | HttpReply> {
  const found = await api.job(id);
  if (found !== undefined) return { id: found.job.id };
  const jobs = await api.jobs({ isOpen: false, limit: MAX_JOBS });
  const candidates = jobs.map((job) => job.id).filter((one) => one.startsWith(id));
  if (candidates.length === 0) {
    return { status: 404, body: { message: `There is no job ${id}.`, candidates } };
  }
  return {
    status: 409,
    body: {
      message: `${id} could be any of several jobs.`,
      candidates: candidates.slice(0, MAX_CANDIDATES),
    },
  };
}

async function listJobs(api: ServiceApi, { query }: HttpRequest): Promise<HttpReply> {
  const parsed = ListQuery.safeParse(Object.fromEntries(query));
  if (!parsed.success) {
    const message = `limit is a number from 1 to ${MAX_JOBS}, open is 0 or 1.`;
    return { status: 400, body: { message } };
  }
  const { open, limit } = parsed.data;
  return { status: 200, body: { jobs: await api.jobs({ isOpen: open === "1", limit }) } };
}

async function answerJob(
  api: ServiceApi,
  params: HttpRequest["params"],
  ask: (id: string) => Promise<unknown>,
): Promise<HttpReply> {
  const found = await findJob(api, params.id ?? "");
  if ("status" in found) return found;
  const body = await ask(found.id);
  return body === undefined ? gone(found.id) : { status: 200, body };
}

async function shell(api: ServiceApi, { params, body }: HttpRequest): Promise<HttpReply> {
  const found = await findJob(api, params.id ?? "");
  if ("status" in found) return found;
  const parsed = ShellBody.safeParse(readJson(body));
  if (!parsed.success) return notBy();
  const place = await api.shell(found.id, parsed.data.by);
  if (place === undefined) return gone(found.id);
  if ("refused" in place) return { status: 409, body: { message: place.refused } };
  return { status: 200, body: place };
}

function notBy(): HttpReply {
  return { status: 400, body: { message: 'The body is no JSON like {"by": "NAME"}.' } };
}

async function cancel(api: ServiceApi, { params, body }: HttpRequest): Promise<HttpReply> {
  const found = await findJob(api, params.id ?? "");
  if ("status" in found) return found;
  const parsed = CancelBody.safeParse(readJson(body));
  if (!parsed.success) return notBy();
  const isCancelled = await api.cancel(found.id, parsed.data.by);
  if (isCancelled === undefined) return gone(found.id);
  return { status: 200, body: { id: found.id, isCancelled } };
}

function drainRoute(api: ServiceApi, verb: "drain" | "undrain"): Route {
  return {
    method: "POST",
    path: `/api/hosts/:name/${verb}`,
    async handle({ params: { name = "" } }) {
      const isDrained = verb === "drain";
      if (await api.setDrained(name, isDrained)) return { status: 200, body: { name, isDrained } };
      const candidates = (await api.hosts()).map((host) => host.name);
      return { status: 404, body: { message: `There is no host ${name}.`, candidates } };
    },
  };
}

/** Forgotten between two questions. */
function gone(id: string): HttpReply {
  return { status: 404, body: { message: `There is no job ${id}.`, candidates: [] } };
}

function readJson(body: Buffer): unknown {
  if (body.length === 0) return {};
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined; // the schema says so
  }
}
