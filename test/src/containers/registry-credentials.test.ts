import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { authConfig, storedCredentials } from "../../../src/containers/registry-credentials.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "berth-credentials-"));
});
afterEach(() => rm(folder, { recursive: true }));

it.each([
  ["ghcr.io", { "ghcr.io": { auth: encode("me:a:b") } }, { username: "me", password: "a:b" }],
  [
    "ghcr.io",
    { "https://ghcr.io/v2/": { auth: encode("me:x") } },
    { username: "me", password: "x" },
  ],
  [
    "docker.io",
    { "https://index.docker.io/v1/": { auth: encode("me:x") } },
    { username: "me", password: "x" },
  ],
  [
    "a.azurecr.io",
    { "a.azurecr.io": { auth: encode("0:"), identitytoken: "t" } },
    { username: "0", password: "", identityToken: "t" },
  ],
  ["quay.io", { "ghcr.io": { auth: encode("me:x") } }, undefined],
  ["ghcr.io", { "ghcr.io": {} }, undefined],
])("finds what docker login left for %s in %j", async (registry, auths, expected) => {
  await writeFile(join(folder, "config.json"), JSON.stringify({ auths }));

  expect(await storedCredentials(registry, folder)).toEqual(expected);
});

it.each([["{"], ["[]"], ['{"auths": 3}']])("goes without when the file is %s", async (content) => {
  await writeFile(join(folder, "config.json"), content);

  expect(await storedCredentials("ghcr.io", folder)).toBeUndefined();
});

it("goes without when there is no file, or its helper is not installed", async () => {
  expect(await storedCredentials("ghcr.io", folder)).toBeUndefined();
  const config = { credsStore: "no-such-helper-here" };
  await writeFile(join(folder, "config.json"), JSON.stringify(config));
  expect(await storedCredentials("ghcr.io", folder)).toBeUndefined();
});

it("asks the helper that a registry has", async () => {
  const helper = join(folder, "docker-credential-berth-test");
  const answer = '{"ServerURL":"s","Username":"me","Secret":"from the helper"}';
  await writeFile(
    helper,
    `#!/bin/sh\nread -r server\n[ "$server" = ghcr.io ] && echo '${answer}'\n`,
  );
  await chmod(helper, 0o755);
  const config = { credHelpers: { "ghcr.io": "berth-test" } };
  await writeFile(join(folder, "config.json"), JSON.stringify(config));

  const env = { ...process.env, PATH: `${folder}:${process.env.PATH}` };

  expect(await storedCredentials("ghcr.io", folder, env)).toEqual({
    username: "me",
    password: "from the helper",
  });
});

it("sends Docker Hub's credentials with the address that Docker Hub expects", () => {
  expect(authConfig("docker.io", { username: "me", password: "x" })).toMatchObject({
    serveraddress: "https://index.docker.io/v1/",
  });
});

function encode(text: string): string {
  return Buffer.from(text).toString("base64");
}
