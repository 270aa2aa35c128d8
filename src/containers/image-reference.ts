import { BerthError } from "../../runner/errors.ts";

/** A name of an image in full, Docker Hub's short forms written out. */
export type ImageReference = {
  /** `docker.io`, `ghcr.io`, `127.0.0.1:5000` */
  readonly registry: string;
  /** `library/debian` */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: string;
  /** As the engine's pull takes it, with a tag or a digest. */
  readonly name: string;
};

/**
 * Reads `debian`, `docker://alpine:3.20`, `ghcr.io/owner/name@sha256:…`.
 *
 * @throws {BerthError} `IMAGE_NOT_FOUND` when no image can have that name.
 */
export function readImageReference(text: string): ImageReference {
  const name = text.trim().replace(/^docker:\/\//, "");
  const match =
    /^(?:((?:[a-zA-Z0-9-]+\.)*[a-zA-Z0-9-]+(?::\d+)?|\[[0-9a-f:]+\](?::\d+)?)\/)?([a-z0-9]+(?:(?:\.|_{1,2}|-+|\/)[a-z0-9]+)*)(?::([\w][\w.-]{0,127}))?(?:@([a-z0-9]+:[0-9a-f]{32,}))?$/.exec(
      name,
    );
  if (match === null) throw notAName(text);

  const [, first, rest = "", tag, digest] = match;
  const isRegistry =
    first !== undefined && (/[.:[]/.test(first) || first === "localhost" || /[A-Z]/.test(first));
  const registry = isRegistry ? first.replace(/^index\.docker\.io$/, "docker.io") : "docker.io";
  const path = first === undefined || isRegistry ? rest : `${first}/${rest}`;
  const repository = registry === "docker.io" && !path.includes("/") ? `library/${path}` : path;
  const version = digest === undefined ? `:${tag ?? "latest"}` : `@${digest}`;
  return {
    registry,
    repository,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
    name: `${isRegistry ? `${registry}/` : ""}${path}${version}`,
  };
}

function notAName(text: string): BerthError {
  return new BerthError("IMAGE_NOT_FOUND", {
    message: `"${text}" is not the name of an image.`,
    remedy: "Write it like debian:12 or ghcr.io/owner/name:tag, in lower case.",
  });
}
