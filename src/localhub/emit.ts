import { deliver } from "./deliveries.ts";
import { type Account, type Hub, installationOf, type Repository } from "./hub.ts";
import type { JsonObject } from "./hub-event.ts";
import { accountPayload, organizationPayload, repositoryPayload } from "./repository-payload.ts";

/** Something that happened in a repository. */
export type Happening = {
  readonly event: string;
  readonly action?: string;
  readonly repository: Repository;
  readonly sender: Account;
  /** What this event has beside the fields of all. */
  readonly fields: JsonObject;
};

/** The payload as workflows see it: without the installation it is delivered to. */
export function payloadOf(hub: Hub, happening: Happening): JsonObject {
  const { action, repository, sender, fields } = happening;
  return {
    ...(action !== undefined && { action }),
    ...fields,
    repository: repositoryPayload(hub, repository),
    ...(repository.owner.type === "Organization" && {
      organization: organizationPayload(hub, repository.owner),
    }),
    sender: accountPayload(hub, sender),
  };
}

/** Tells the hub's owner, and the App where it is installed. */
export function emit(hub: Hub, happening: Happening): void {
  if (hub.closed.aborted) return;
  const { event, action, repository } = happening;
  const installation = installationOf(hub, repository);
  const payload = {
    ...payloadOf(hub, happening),
    ...(installation && { installation: { id: installation.id } }),
  };
  const told = { event, ...(action !== undefined && { action }), payload };
  hub.onEvent({ ...told, repository: repository.fullName });
  if (installation) deliver(hub, told, { installation, repositoryId: repository.id });
}
