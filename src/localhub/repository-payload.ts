import type { Account, AppFacts, Hub, Installation, Repository } from "./hub.ts";
import type { JsonObject } from "./hub-event.ts";
import type { Grants } from "./hub-facts.ts";

/** The API's address. */
export function apiUrl(hub: Hub, path: string): string {
  return `${hub.url}/api/v3${path}`;
}

export function accountPayload(hub: Hub, { id, login, type }: Account): JsonObject {
  return {
    login,
    id,
    node_id: nodeId("U", id),
    type,
    site_admin: false,
    avatar_url: "",
    url: apiUrl(hub, `/users/${login}`),
    html_url: `${hub.url}/${login}`,
  };
}

export function organizationPayload(hub: Hub, { id, login }: Account): JsonObject {
  return { login, id, node_id: nodeId("O", id), url: apiUrl(hub, `/orgs/${login}`) };
}

export function repositoryPayload(hub: Hub, repository: Repository): JsonObject {
  const { id, name, fullName, owner, isPrivate, defaultBranch, parent } = repository;
  const url = apiUrl(hub, `/repos/${fullName}`);
  return {
    id,
    node_id: nodeId("R", id),
    name,
    full_name: fullName,
    private: isPrivate,
    visibility: isPrivate ? "private" : "public",
    owner: accountPayload(hub, owner),
    html_url: `${hub.url}/${fullName}`,
    description: null,
    fork: parent !== undefined,
    url,
    clone_url: `${hub.url}/${fullName}.git`,
    git_url: `${hub.url}/${fullName}.git`,
    ssh_url: `${hub.url}/${fullName}.git`,
    archive_url: `${url}/{archive_format}{/ref}`,
    contents_url: `${url}/contents/{+path}`,
    default_branch: defaultBranch,
    archived: false,
    disabled: false,
    ...(parent && { parent: minimalRepository(hub, parent) }),
  };
}

/** What other objects hold of a repository. */
export function minimalRepository(hub: Hub, { id, name, fullName }: Repository): JsonObject {
  return { id, name, full_name: fullName, url: apiUrl(hub, `/repos/${fullName}`) };
}

export function appPayload(hub: Hub, app: AppFacts): JsonObject {
  return {
    id: app.id,
    client_id: app.clientId,
    slug: app.slug,
    node_id: nodeId("A", app.id),
    name: app.name,
    description: "",
    owner: accountPayload(hub, app.owner),
    external_url: hub.url,
    html_url: `${hub.url}/apps/${app.slug}`,
    permissions: app.permissions,
    events: app.events,
    installations_count: hub.installations.length,
  };
}

export function installationPayload(hub: Hub, installation: Installation): JsonObject {
  const { id, account, permissions, repositories } = installation;
  return {
    id,
    app_id: hub.app.id,
    client_id: hub.app.clientId,
    app_slug: hub.app.slug,
    account: accountPayload(hub, account),
    target_id: account.id,
    target_type: account.type,
    repository_selection: repositories === "all" ? "all" : "selected",
    permissions: permissions satisfies Grants,
    events: hub.app.events,
    access_tokens_url: apiUrl(hub, `/app/installations/${id}/access_tokens`),
    repositories_url: apiUrl(hub, "/installation/repositories"),
    html_url: `${hub.url}/organizations/${account.login}/settings/installations/${id}`,
    suspended_at: null,
    suspended_by: null,
  };
}

/** GitHub's global ids look like this; what is in them is nobody's business. */
export function nodeId(kind: string, id: number): string {
  return `${kind}_${Buffer.from(String(id)).toString("base64url")}`;
}
