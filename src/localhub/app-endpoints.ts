import { z } from "zod";
import { issueToken } from "./credentials.ts";
import { redeliver } from "./deliveries.ts";
import { covers, type Hub, type Installation, installationOf } from "./hub.ts";
import type { Delivery, JsonObject } from "./hub-event.ts";
import { counted, paginate, paginateByCursor } from "./paginate.ts";
import { limitOf, limitsPayload } from "./rate-limit.ts";
import { notFound, Refusal } from "./refusal.ts";
import {
  accountPayload,
  appPayload,
  installationPayload,
  repositoryPayload,
} from "./repository-payload.ts";
import { type Call, ok, type Reply, type Route, readBody } from "./route.ts";

const TokenRequest = z.object({
  repositories: z.array(z.string()).optional(),
  repository_ids: z.array(z.number()).optional(),
  permissions: z.record(z.string(), z.string()).optional(),
});
const HookConfig = z.object({ url: z.string().optional(), secret: z.string().optional() });

const app = { for: "app" } as const;

/** The App itself, its installations and their tokens, its webhook and the log of deliveries. */
export const appRoutes: readonly Route[] = [
  { method: "GET", path: "/app", access: app, handle: ({ hub }) => ok(appPayload(hub, hub.app)) },
  { method: "GET", path: "/app/installations", access: app, handle: listInstallations },
  {
    method: "GET",
    path: "/app/installations/:id",
    access: app,
    handle: (call) => ok(installationPayload(call.hub, installationNamed(call))),
  },
  {
    method: "POST",
    path: "/app/installations/:id/access_tokens",
    access: app,
    handle: createToken,
  },
  { method: "GET", path: "/orgs/:account/installation", access: app, handle: showForAccount },
  { method: "GET", path: "/users/:account/installation", access: app, handle: showForAccount },
  { method: "GET", path: "/repos/:owner/:repo/installation", access: app, handle: showForRepo },
  {
    method: "GET",
    path: "/installation/repositories",
    access: { for: "installation" },
    handle: listRepositories,
  },
  {
    method: "DELETE",
    path: "/installation/token",
    access: { for: "installation" },
    handle: revokeToken,
  },
  { method: "GET", path: "/app/hook/config", access: app, handle: ({ hub }) => showHook(hub) },
  { method: "PATCH", path: "/app/hook/config", access: app, handle: changeHook },
  { method: "GET", path: "/app/hook/deliveries", access: app, handle: listDeliveries },
  {
    method: "GET",
    path: "/app/hook/deliveries/:id",
    access: app,
    handle: (call) => ok(deliveryPayload(deliveryNamed(call))),
  },
  {
    method: "POST",
    path: "/app/hook/deliveries/:id/attempts",
    access: app,
    handle(call) {
      redeliver(call.hub, deliveryNamed(call));
      return { status: 202, body: {} };
    },
  },
  {
    method: "GET",
    path: "/rate_limit",
    access: { for: "anyone" },
    handle: ({ hub, credential }) => ok(limitsPayload(limitOf(hub, credential))),
  },
  { method: "GET", path: "/user", access: { for: "anyone" }, handle: showUser },
];

function listInstallations(call: Call): Reply {
  const { hub } = call;
  return paginate(call, hub.installations, (each) => installationPayload(hub, each));
}

function installationNamed({ hub, params }: Call): Installation {
  const installation = hub.installations.find(({ id }) => String(id) === params.id);
  if (!installation) throw notFound();
  return installation;
}

function createToken(call: Call): Reply {
  const { hub } = call;
  const installation = installationNamed(call);
  const { repositories, repository_ids: ids, permissions } = readBody(call, TokenRequest);
  const names = ids?.map((id) => nameOfId(hub, id)) ?? repositories;
  const token = issueToken(hub, installation, {
    ...(names && { repositories: names }),
    ...(permissions && { permissions }),
  });
  const chosen = [...hub.repositories.values()].filter(
    ({ owner, name }) => owner === installation.account && covers(token.repositories, name),
  );
  return {
    status: 201,
    body: {
      token: token.token,
      expires_at: `${new Date(token.expiresAtMs).toISOString().slice(0, 19)}Z`,
      permissions: token.permissions,
      repository_selection: token.repositories === "all" ? "all" : "selected",
      ...(names && {
        repositories: chosen.map((repository) => repositoryPayload(hub, repository)),
      }),
    },
  };
}

function nameOfId(hub: Hub, id: number): string {
  const found = [...hub.repositories.values()].find((repository) => repository.id === id);
  // A name that no repository can have is refused like any other that is not there.
  return found?.name ?? `/${id}`;
}

function showForAccount({ hub, params }: Call): Reply {
  const installation = hub.installations.find(
    ({ account }) => account.login.toLowerCase() === params.account?.toLowerCase(),
  );
  if (!installation) throw notFound();
  return ok(installationPayload(hub, installation));
}

function showForRepo({ hub, params }: Call): Reply {
  const repository = hub.repositories.get(`${params.owner}/${params.repo}`.toLowerCase());
  const installation = repository && installationOf(hub, repository);
  if (!installation) throw notFound();
  return ok(installationPayload(hub, installation));
}

function listRepositories(call: Call): Reply {
  const { hub, credential } = call;
  if (credential.kind !== "installation") throw notFound();
  const { installation, repositories } = credential;
  const visible = [...hub.repositories.values()].filter(
    (repository) =>
      installationOf(hub, repository) === installation && covers(repositories, repository.name),
  );
  const show = (repository: (typeof visible)[number]) => repositoryPayload(hub, repository);
  return paginate(call, visible, show, counted("repositories"));
}

function revokeToken({ hub, credential }: Call): Reply {
  if (credential.kind === "installation") hub.tokens.delete(credential.token);
  return { status: 204 };
}

function showHook({ webhook }: Hub): Reply {
  const { url, secret } = webhook;
  const shown = secret === "" ? {} : { secret: "********" };
  return ok({ content_type: "json", insecure_ssl: "0", url: url ?? "", ...shown });
}

function changeHook(call: Call): Reply {
  const { url, secret } = readBody(call, HookConfig);
  if (url !== undefined) call.hub.webhook.url = url || undefined;
  if (secret !== undefined) call.hub.webhook.secret = secret;
  return showHook(call.hub);
}

function listDeliveries(call: Call): Reply {
  const status = call.query.get("status");
  const wanted = call.hub.deliveries
    .filter(({ statusCode }) => {
      const isGood = statusCode >= 200 && statusCode < 400;
      return status === null || (status === "success") === isGood;
    })
    .toReversed();
  return paginateByCursor(call, wanted, summaryOf);
}

function deliveryNamed({ hub, params }: Call): Delivery {
  const delivery = hub.deliveries.find(({ id }) => String(id) === params.id);
  if (!delivery) throw notFound();
  return delivery;
}

function summaryOf(delivery: Delivery): JsonObject {
  return {
    id: delivery.id,
    guid: delivery.guid,
    delivered_at: delivery.deliveredAt,
    redelivery: delivery.isRedelivery,
    duration: delivery.durationSeconds,
    status: delivery.status,
    status_code: delivery.statusCode,
    event: delivery.event,
    action: delivery.action,
    installation_id: delivery.installationId,
    repository_id: delivery.repositoryId,
    throttled_at: null,
  };
}

function deliveryPayload(delivery: Delivery): JsonObject {
  return {
    ...summaryOf(delivery),
    url: delivery.url,
    request: { headers: delivery.requestHeaders, payload: JSON.parse(delivery.body) },
    response: { headers: delivery.responseHeaders, payload: delivery.responseBody },
  };
}

function showUser({ hub, credential }: Call): Reply {
  if (credential.kind === "user") return ok(accountPayload(hub, credential.account));
  if (credential.kind === "anonymous") throw new Refusal(401, "Requires authentication");
  throw new Refusal(403, "Resource not accessible by integration");
}
