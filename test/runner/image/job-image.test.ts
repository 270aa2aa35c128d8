import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { contentHash, describeJobImage } from "../../../runner/image/job-image.ts";
import { type ImageEngine, makeImage } from "../../../runner/image/make-image.ts";

const options = { progress: () => {}, signal: new AbortController().signal };

describe("the job image", () => {
  it("has the same name as long as nothing of it changes", async () => {
    const [first, second] = await Promise.all([describeJobImage(), describeJobImage()]);

    expect(first.tag).toMatch(/^berth-job:[0-9a-f]{12}$/);
    expect(second).toEqual(first);
  });

  it("has another name for every other content", () => {
    const names = [
      new Map([["Dockerfile", "FROM a"]]),
      new Map([["Dockerfile", "FROM b"]]),
      new Map([["Dockerfile2", "FROM a"]]),
      new Map([
        ["Dockerfile", "FROM a"],
        ["x", ""],
      ]),
    ].map(contentHash);

    expect(new Set(names).size).toBe(4);
  });

  it("trusts what the machine trusts", async () => {
    const folder = await mkdtemp(join(tmpdir(), "berth-test-"));
    await writeFile(join(folder, "office.crt"), "a certificate");
    await writeFile(join(folder, "notes.txt"), "not a certificate");

    const image = await describeJobImage(folder);
    const plain = await describeJobImage(join(folder, "missing"));

    expect(image.files.get("certificates/office.crt")).toBe("a certificate");
    expect(image.files.has("certificates/notes.txt")).toBe(false);
    expect(image.tag).not.toBe(plain.tag);
    await rm(folder, { recursive: true });
  });

  it("has Node trust it, too, which does not read the system's certificates", async () => {
    const folder = await mkdtemp(join(tmpdir(), "berth-test-"));
    await writeFile(join(folder, "a.crt"), "first, without a line end");
    await writeFile(join(folder, "b.crt"), "second\n");

    const image = await describeJobImage(folder);
    const plain = await describeJobImage(join(folder, "missing"));

    expect(image.files.get("certificates/for-node.pem")).toBe(
      "first, without a line end\nsecond\n",
    );
    expect(image.files.get("Dockerfile")).toMatch(
      /^ENV NODE_EXTRA_CA_CERTS=\/usr\/local\/share\/ca-certificates\/for-node\.pem$/m,
    );
    expect([...plain.files.keys()]).toEqual(["Dockerfile", "certificates/README.md"]);
    expect(plain.files.get("Dockerfile")).not.toContain("NODE_EXTRA_CA_CERTS");
    await rm(folder, { recursive: true });
  });

  it("is built over a base once, and then never again", async () => {
    const engine = anEngine();
    const image = await describeJobImage();

    await makeImage(image, engine, options);
    await makeImage(image, engine, options);

    expect(engine.built).toEqual([{ tag: image.tag, base: "a-base:1" }]);
  });
});

function anEngine(): ImageEngine & { built: { tag: string; base: string | undefined }[] } {
  const built: { tag: string; base: string | undefined }[] = [];
  return {
    built,
    hasImage: async (tag) => built.some((image) => image.tag === tag),
    async buildImage({ tag }, { buildArgs }) {
      built.push({ tag, base: buildArgs.BASE });
    },
    findBase: async () => "a-base:1",
  };
}
