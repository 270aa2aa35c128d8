import { expect, it } from "@jest/globals";
import { readImageReference } from "../../../src/containers/image-reference.ts";

const DIGEST = `sha256:${"ab".repeat(32)}`;

it.each([
  ["debian", "docker.io", "library/debian", "debian:latest"],
  ["docker://alpine:3.20", "docker.io", "library/alpine", "alpine:3.20"],
  ["owner/name", "docker.io", "owner/name", "owner/name:latest"],
  ["docker.io/owner/name:1", "docker.io", "owner/name", "docker.io/owner/name:1"],
  ["ghcr.io/a/b/c:v1", "ghcr.io", "a/b/c", "ghcr.io/a/b/c:v1"],
  ["localhost/x", "localhost", "x", "localhost/x:latest"],
  ["127.0.0.1:5000/x:1", "127.0.0.1:5000", "x", "127.0.0.1:5000/x:1"],
  [`quay.io/a/b:1@${DIGEST}`, "quay.io", "a/b", `quay.io/a/b@${DIGEST}`],
  [" debian:12 ", "docker.io", "library/debian", "debian:12"],
])("%s is at %s as %s", (text, registry, repository, name) => {
  expect(readImageReference(text)).toMatchObject({ registry, repository, name });
});

it.each(["", "Debian", "a b", "a:b:c", "x@sha256:zz", "/x", "x/", "http://x/y"])(
  "%j is the name of no image",
  (text) => {
    expect(() => readImageReference(text)).toThrow(
      expect.objectContaining({ code: "IMAGE_NOT_FOUND" }),
    );
  },
);
