import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { type Pack, pack } from "tar-stream";
import type { ActionRepository } from "../../../runner/actions/action-source.ts";
import type { JobPlace } from "../../../runner/job/execute-job.ts";
import { openLocalPlace } from "../../../runner/job/local-place.ts";

const signal = AbortSignal.timeout(60_000);
let folder: string;
let action: ActionRepository;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "berth-local-"));
  await mkdir(join(folder, "dist"));
  await writeFile(join(folder, "action.yml"), "name: it\n");
  await writeFile(join(folder, "dist/run"), "#!/bin/sh\necho ran\n");
  await chmod(join(folder, "dist/run"), 0o755);
  await symlink("action.yml", join(folder, "link"));
  action = { owner: "o", repo: "r", ref: "releases/v1", commit: "0".repeat(40), folder };
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a place on this machine", () => {
  it("has the actions it was asked for, and those added later, as copies", async () => {
    await using place = await open([action]);

    await place.addActions?.([{ ...action, ref: "main" }], signal);

    for (const ref of ["releases/v1", "main"]) {
      const path = `${place.paths.actions}/o/r/${ref}`;
      expect(await say(place, `cd ${path} && cat link && dist/run && echo x > action.yml`)).toBe(
        "name: it\nran\n",
      );
    }
    expect(await say(place, `cat ${folder}/action.yml`)).toBe("name: it\n");
  });

  it("refuses an action whose ref leads elsewhere, and leaves nothing", async () => {
    await expect(open([{ ...action, ref: "../../x" }])).rejects.toMatchObject({
      code: "ACTION_INVALID",
    });
  });

  it("unpacks an archive, with programs and links", async () => {
    await using place = await open();
    const tar = tarOf((archive) => {
      archive.entry({ name: "dir/", type: "directory" });
      archive.entry(
        { name: "dir/run", mode: 0o755, uid: 12345, gid: 12345 },
        "#!/bin/sh\necho ran\n",
      );
      archive.entry({ name: "link", type: "symlink", linkname: "dir/run" });
    });

    await place.unpack?.(tar, place.paths.temp, signal);

    const { temp } = place.paths;
    expect(await say(place, `${temp}/link; test -O ${temp}/dir/run && echo mine`)).toBe(
      "ran\nmine\n",
    );
  });

  it("unpacks nothing outside the folder", async () => {
    await using place = await open();
    const tar = tarOf((archive) => archive.entry({ name: "../escaped" }, "x"));

    await expect(place.unpack?.(tar, place.paths.temp, signal)).rejects.toMatchObject({
      code: "SETUP_FAILED",
      message: expect.stringContaining("escaped"),
    });
    expect(await say(place, `ls ${place.paths.temp}/..`)).not.toContain("escaped");
  });

  it("stops unpacking when told to, and says when the archive breaks off", async () => {
    await using place = await open();
    const stop = new AbortController();
    const archive = pack();
    archive.entry({ name: "slow", size: 1_000_000 }).write(Buffer.alloc(1000));
    const slow = Readable.from(archive);
    const torn = new PassThrough();
    torn.write(Buffer.alloc(10));

    const unpacking = place.unpack?.(slow, place.paths.temp, stop.signal);
    const breaking = place.unpack?.(torn, place.paths.temp, signal);
    setTimeout(() => stop.abort(new Error("cancelled")), 50);
    setTimeout(() => torn.destroy(new Error("the source broke")), 50);

    await expect(unpacking).rejects.toThrow("cancelled");
    expect(slow.destroyed).toBe(true);
    await expect(breaking).rejects.toThrow("the source broke");
  });

  it("says so when the folder does not exist", async () => {
    await using place = await open();
    const tar = tarOf((archive) => archive.entry({ name: "a" }, Buffer.alloc(1_000_000)));

    await expect(place.unpack?.(tar, "/nowhere/here", signal)).rejects.toMatchObject({
      code: "SETUP_FAILED",
      message: expect.stringContaining("/nowhere/here"),
    });
  });

  it("has this machine's Node where actions/setup-node looks for one", async () => {
    await using place = await open();
    const root = `${place.paths.toolCache}/node/${process.versions.node}`;

    const told = await say(
      place,
      `cd ${root} && ls && PATH="${root}/${process.arch}/bin:$PATH" && node --version && npm prefix --global 2>/dev/null`,
    );

    expect(told).toBe(
      [
        process.arch,
        `${process.arch}.complete`,
        process.version,
        `${root}/${process.arch}`,
        "",
      ].join("\n"),
    );
  });
});

async function open(actions: readonly ActionRepository[] = []): Promise<JobPlace> {
  const request = { jobId: "j", runId: "r", repository: "repo", labels: [], actions };
  // Set where the tests themselves run under such an npm.
  const { npm_config_prefix: _, ...env } = process.env;
  const place = await openLocalPlace(request, { env, signal });
  await mkdir(place.paths.temp, { recursive: true });
  return place;
}

async function say(place: JobPlace, script: string): Promise<string> {
  const chunks: Buffer[] = [];
  await place.shell.run(
    {
      argv: ["sh", "-c", script],
      cwd: "/",
      env: {},
    },
    { onOutput: (chunk) => chunks.push(chunk) },
  );
  return Buffer.concat(chunks).toString();
}

function tarOf(fill: (archive: Pack) => void): Readable {
  const archive = pack();
  fill(archive);
  archive.finalize();
  return Readable.from(archive);
}
