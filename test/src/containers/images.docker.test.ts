import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type Docker from "dockerode";
import { pack } from "tar-stream";
import { buildImage, ensureImage, hasImage, inspectImage } from "../../../src/containers/images.ts";
import { engineForTests } from "./engine.ts";
import { type Registry, startRegistry } from "./registry.ts";
import { tinyImage } from "./tiny-image.ts";

const TAG = `berth-test/images:${process.pid}`;
const stack = new AsyncDisposableStack();
let docker: Docker;
let open: Registry;
let closed: Registry;
let lines: string[];

beforeAll(async () => {
  ({ docker } = await engineForTests());
  stack.use(await tinyImage(docker, TAG));
  open = stack.use(await startRegistry());
  closed = stack.use(await startRegistry({ isPrivate: true }));
});
afterAll(() => stack.disposeAsync());

function options(more: Partial<Parameters<typeof ensureImage>[2]> = {}) {
  lines = [];
  const signal = AbortSignal.timeout(60_000);
  return { progress: (line: string) => lines.push(line), signal, backOffMs: () => 10, ...more };
}

describe("an image that the engine lacks", () => {
  it("is pulled, with progress", async () => {
    const name = await open.push(docker, TAG, "some/tool:1.2");

    const facts = await ensureImage(docker, name, options());

    expect(facts).toMatchObject({ name, path: "/bin", user: "" });
    expect(lines[0]).toContain(`Pulling ${name}`);
    expect(lines.join("\n")).toContain("Downloaded newer image");
    await docker.getImage(name).remove();
  });

  it("is pulled with the credentials that come with it", async () => {
    const name = await closed.push(docker, TAG, "secret/tool");

    await ensureImage(docker, name, options({ credentials: closed.credentials }));

    expect(await hasImage(docker, name)).toBe(true);
    await docker.getImage(name).remove();
  });

  it("is pulled with what docker login left", async () => {
    const name = await closed.push(docker, TAG, "secret/other");
    const dockerConfigDir = await mkdtemp(join(tmpdir(), "berth-docker-config-"));
    const { username = "", password = "" } = closed.credentials ?? {};
    const auth = Buffer.from(`${username}:${password}`).toString("base64");
    const config = { auths: { [closed.address]: { auth } } };
    await writeFile(join(dockerConfigDir, "config.json"), JSON.stringify(config));

    await ensureImage(docker, name, options({ supply: { dockerConfigDir } }));

    expect(await hasImage(docker, name)).toBe(true);
    await docker.getImage(name).remove();
    await rm(dockerConfigDir, { recursive: true });
  });

  it("is pulled with what the configuration says of its registry", async () => {
    const name = await closed.push(docker, TAG, "secret/configured");
    const registries = [{ host: closed.address, ...closed.credentials, mirrors: [] }];

    await ensureImage(docker, name, options({ supply: { registries } }));

    expect(await hasImage(docker, name)).toBe(true);
    await docker.getImage(name).remove();
  });

  it("is pulled from a mirror that has it, under its own name, and nothing of the mirror stays", async () => {
    const mirrored = await closed.push(docker, TAG, "mirrored/hello:1");
    const registries = [
      { host: "nowhere.invalid", mirrors: ["127.0.0.1:1", closed.address] },
      { host: closed.address, ...closed.credentials, mirrors: [] },
    ];
    const told: string[] = [];
    const progress = (line: string) => told.push(line);
    const name = "nowhere.invalid/mirrored/hello:1";

    await ensureImage(docker, name, options({ supply: { registries }, progress }));

    expect(await hasImage(docker, name)).toBe(true);
    expect(await hasImage(docker, mirrored)).toBe(false);
    expect(told.join("\n")).toMatch(/The mirror 127\.0\.0\.1:1 does not give it/);
    await docker.getImage(name).remove();
  });

  it("is not taken from a mirror by its digest, and no tag is made of that", async () => {
    await open.push(docker, TAG, "mirrored/exact:1");
    const { headers } = await fetch(`http://${open.address}/v2/mirrored/exact/manifests/1`, {
      headers: { accept: "application/vnd.docker.distribution.manifest.v2+json" },
    });
    const repo = "nowhere.invalid/mirrored/exact";
    const registries = [{ host: "nowhere.invalid", mirrors: [open.address] }];
    const name = `${repo}@${headers.get("docker-content-digest")}`;

    const pulling = ensureImage(docker, name, options({ supply: { registries } }));

    await expect(pulling).rejects.toMatchObject({ message: expect.stringContaining(repo) });
    expect(await hasImage(docker, `${repo}:latest`)).toBe(false);
  });

  it("leaves an image alone that was there under its mirror's name", async () => {
    const mirrored = await open.push(docker, TAG, "mirrored/own:1");
    await docker.getImage(TAG).tag({ repo: `${open.address}/mirrored/own`, tag: "1" });
    const registries = [{ host: "nowhere.invalid", mirrors: [open.address] }];
    const name = "nowhere.invalid/mirrored/own:1";

    await ensureImage(docker, name, options({ supply: { registries } }));

    expect(await hasImage(docker, mirrored)).toBe(true);
    await docker.getImage(mirrored).remove();
    await docker.getImage(name).remove();
  });

  it("needs credentials where the registry asks for them", async () => {
    const name = await closed.push(docker, TAG, "secret/third");

    const pulling = ensureImage(docker, name, options());

    await expect(pulling).rejects.toMatchObject({
      code: "IMAGE_NOT_FOUND",
      message: expect.stringContaining(closed.address),
      remedy: expect.stringContaining("docker login"),
    });
  });

  it("does not come with wrong credentials, and the password stays secret", async () => {
    const credentials = { username: "ali", password: "close sesame" };

    const pulling = ensureImage(docker, `${closed.address}/secret/tool`, options({ credentials }));

    await expect(pulling).rejects.toMatchObject({
      code: "IMAGE_NOT_FOUND",
      message: expect.not.stringContaining("close sesame"),
      remedy: expect.stringContaining("user name and password"),
    });
  });

  it("is asked for once when the registry does not know it", async () => {
    const pulling = ensureImage(docker, `${open.address}/no/such:1`, options());

    await expect(pulling).rejects.toMatchObject({
      code: "IMAGE_NOT_FOUND",
      message: expect.stringContaining("no/such:1"),
      remedy: expect.stringContaining("name and tag"),
    });
    expect(lines).toHaveLength(1);
  });

  it("is asked for three times when the registry does not answer", async () => {
    const pulling = ensureImage(docker, "127.0.0.1:1/no/such:1", options());

    await expect(pulling).rejects.toMatchObject({
      code: "IMAGE_NOT_FOUND",
      remedy: expect.stringContaining("reaches 127.0.0.1:1"),
    });
    expect(lines.filter((line) => line.includes("back off"))).toHaveLength(2);
  });

  it("is not pulled when its name cannot be one", async () => {
    await expect(ensureImage(docker, "No Such Image", options())).rejects.toMatchObject({
      code: "IMAGE_NOT_FOUND",
    });
  });
});

describe("an image that the engine has", () => {
  it("is used without asking a registry", async () => {
    const facts = await ensureImage(docker, `docker://${TAG}`, options());

    expect(facts.name).toBe(TAG);
    expect(lines).toEqual([]);
  });

  it("is used though it should be pulled again and cannot", async () => {
    const facts = await ensureImage(docker, TAG, options({ pull: "always" }));

    expect(facts.name).toBe(TAG);
    expect(lines.at(-1)).toContain("the engine's own copy is used");
  });
});

describe("building", () => {
  const tag = `berth-test/built:${process.pid}`;

  it("makes an image with its labels and shows the steps", async () => {
    const seen: string[] = [];
    await buildImage(docker, {
      context: context(`FROM ${TAG}\nUSER 7:8\nRUN true\n`),
      tag,
      labels: { "io.berth.kind": "cache" },
      onProgress: (line) => seen.push(line),
      signal: AbortSignal.timeout(60_000),
    });

    expect(await inspectImage(docker, tag)).toMatchObject({
      user: "7:8",
      labels: { "io.berth.kind": "cache" },
    });
    expect(seen.join("\n")).toContain("RUN true");
    await docker.getImage(tag).remove();
  });

  it("says which instruction failed", async () => {
    const building = buildImage(docker, {
      context: context(`FROM ${TAG}\nRUN exit 7\n`),
      tag,
      onProgress() {},
      signal: AbortSignal.timeout(60_000),
    });

    await expect(building).rejects.toMatchObject({
      code: "SETUP_FAILED",
      message: expect.stringContaining("exit 7"),
    });
  });

  function context(dockerfile: string): Readable {
    const tar = pack();
    tar.entry({ name: "Dockerfile" }, dockerfile);
    tar.finalize();
    return Readable.from(tar);
  }
});
