import { setTimeout as sleep } from "node:timers/promises";
import type Docker from "dockerode";
import { BerthError, textOf } from "../../runner/errors.ts";
import { engineError, reasonOf, statusOf, systemCodeOf } from "./engine-error.ts";
import { followProgress } from "./follow-progress.ts";
import type { ImageReference } from "./image-reference.ts";
import { type PullSource, pullSources } from "./image-supply.ts";
import { type EnsureImageOptions, hasImage } from "./images.ts";
import { authConfig } from "./registry-credentials.ts";

export type PullImageOptions = EnsureImageOptions & {
  /** How often the registry itself is asked that does not answer. */
  readonly tries: number;
};

/**
 * Pulls an image: from a mirror that has it, else from its own registry. That one is asked several times with a pause between, as GitHub's runner does; an
 * answer that will not change is not asked for again.
 *
 * @throws {BerthError} `IMAGE_NOT_FOUND`, `ENGINE_LOST`
 */
export async function pullImage(
  docker: Docker,
  reference: ImageReference,
  options: PullImageOptions,
): Promise<void> {
  const { supply = {}, credentials, progress, signal } = options;
  const sources = await pullSources(reference, supply, credentials);
  for (const mirror of sources.slice(0, -1)) {
    // One that is there already is somebody's.
    const isOurs = !(await hasImage(docker, mirror.name));
    try {
      await pullFrom(docker, mirror, reference, { ...options, tries: 1 });
      await docker.getImage(mirror.name).tag(repoAndTag(reference));
      if (isOurs) await docker.getImage(mirror.name).remove();
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (isEngineGone(error)) throw error;
      progress(`The mirror ${mirror.registry} does not give it: ${textOf(error)}`);
    }
  }
  const [own] = sources.slice(-1);
  if (own !== undefined) await pullFrom(docker, own, reference, options);
}

function repoAndTag({ name }: ImageReference): { repo: string; tag: string } {
  const at = name.lastIndexOf(":");
  return { repo: name.slice(0, at), tag: name.slice(at + 1) };
}

async function pullFrom(
  docker: Docker,
  { registry, name, credentials: known }: PullSource,
  reference: ImageReference,
  { platform, progress, signal, tries, ...rest }: PullImageOptions,
): Promise<void> {
  const backOffMs = rest.backOffMs ?? (() => 1000 + Math.random() * 9000);
  progress(`Pulling ${name} from ${registry}`);

  for (let attempt = 1; ; attempt++) {
    try {
      const stream = await docker.pull(name, {
        ...(known && { authconfig: authConfig(registry, known) }),
        ...(platform !== undefined && { platform }),
        abortSignal: signal,
      });
      await followProgress(stream, progress, signal);
      return;
    } catch (error) {
      signal.throwIfAborted();
      const reason = reasonOf(error);
      if (isEngineGone(error)) throw engineError(error, `pull ${name}`);
      if (attempt >= tries || isFinal(error))
        throw notFound(reference, reason, known !== undefined);
      const waitMs = backOffMs();
      const seconds = (waitMs / 1000).toFixed(1);
      progress(`Pull failed (${reason}), back off ${seconds} seconds before retry.`);
      await sleep(waitMs, undefined, { signal });
    }
  }
}

function isEngineGone(error: unknown): boolean {
  if (error instanceof BerthError) return error.code === "ENGINE_LOST";
  const code = systemCodeOf(error);
  return (
    code !== undefined && ["ECONNREFUSED", "ENOENT", "EACCES", "ECONNRESET", "EPIPE"].includes(code)
  );
}

function isFinal(error: unknown): boolean {
  const reason = reasonOf(error);
  return (
    [400, 401, 403, 404].includes(statusOf(error) ?? 0) ||
    /not found|unknown|denied|unauthorized|no basic auth|authentication required|no matching manifest/i.test(
      reason,
    )
  );
}

export function notFound(reference: ImageReference, reason: string, loggedIn = false): BerthError {
  const denied = /denied|unauthorized|no basic auth|authentication required/i.test(reason);
  return new BerthError("IMAGE_NOT_FOUND", {
    message: `The image ${reference.name} cannot be had from ${reference.registry}: ${reason.replace(/\.$/, "")}.`,
    remedy: remedyFor(reference, { denied, loggedIn, unreachable: isUnreachable(reason) }),
  });
}

/** Whether the engine says that it could not get as far as the registry. */
export function isUnreachable(reason: string): boolean {
  return /no such host|dial tcp|timeout|connection refused|EOF|TLS|certificate/i.test(reason);
}

function remedyFor(
  { registry, name }: ImageReference,
  { denied, loggedIn, unreachable }: { denied: boolean; loggedIn: boolean; unreachable: boolean },
): string {
  if (unreachable) {
    return `See whether the engine's machine reaches ${registry}; or put the image there with \`docker load\`.`;
  }
  if (denied && loggedIn)
    return `Check the user name and password for ${registry}, and that they may read ${name}.`;
  if (denied) {
    return `Check the name; a private image needs container.credentials, or \`docker login ${registry}\`.`;
  }
  return "Check the image's name and tag for typing errors.";
}
