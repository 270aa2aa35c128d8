import { randomBytes } from "node:crypto";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type Docker from "dockerode";
import { type Pack, pack } from "tar-stream";
import type { ActionRepository } from "../../runner/actions/action-source.ts";
import type { ContainerSpec } from "../../runner/job/container-spec.ts";
import type { JobPlace } from "../../runner/job/execute-job.ts";
import { containerPlaces } from "../../src/container-places.ts";
import { removeVolume } from "../../src/containers/remove-objects.ts";
import { engineForTests } from "./containers/engine.ts";
import { tinyImage } from "./containers/tiny-image.ts";

const ROOT = `berth-test/actions-${process.pid}:root`;
const APP = `berth-test/actions-${process.pid}:app`;
const OWNER = `berth-test-${process.pid}`;
const signal = AbortSignal.timeout(120_000);
const stack = new AsyncDisposableStack();
let docker: Docker;
let folder: string;
const leaks: unknown[] = [];

beforeAll(async () => {
  ({ docker } = await engineForTests());
  folder = await mkdtemp(join(tmpdir(), "berth-actions-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  stack.defer(async () => {
    for (const name of await volumesOf(OWNER)) await removeVolume(docker, name);
  });
  const people = ["app:x:1234:2345::/home/app:/bin/sh"];
  stack.use(await tinyImage(docker, ROOT, { people }));
  stack.use(await tinyImage(docker, APP, { people, changes: ["USER app"] }));
});

afterAll(async () => {
  await stack.disposeAsync();
  expect(leaks).toEqual([]);
});

describe("an action in a job's container", () => {
  it.each([
    ["a job without a container", undefined, APP, "1234"],
    ["a container with its own user", { options: "--user 77:88" }, ROOT, "77"],
    ["a container whose root cannot be written", { options: "--read-only" }, ROOT, "0"],
    ["a container as root", {}, ROOT, "0"],
  ])("can be read and run, and not be changed: %s", async (_what, container, image, uid) => {
    const action = await anAction("tools", "releases/v1");
    await using place = await open([action], { container, image });

    const path = `${place.paths.actions}/${OWNER}/tools/releases/v1`;
    expect(
      await say(
        place,
        `id -u; cat ${path}/action.yml; ${path}/dist/run; cat ${path}/link; ls -ld ${path}/private | head -c 10`,
      ),
    ).toBe(`${uid}\nname: tools\nran\nname: tools\n-rw-r--r--`);
    expect(await say(place, `touch ${path}/x 2>/dev/null || echo no`)).toBe("no\n");
    expect(await say(place, "touch /__w/_temp/x /__w/repo/repo/x && echo yes")).toBe("yes\n");
  });

  it("comes from a volume that is filled once, for two refs and for jobs side by side", async () => {
    const action = await anAction("once", "v1");
    const lines: string[] = [];
    const open = opener(lines);

    const places = await Promise.all([
      open([action, { ...action, ref: "main" }]),
      open([action]),
      opener(lines)([action]), // knows nothing of the others, as another process would
    ]);

    const texts = await Promise.all(
      places.map((place) => say(place, `cat /__w/_actions/${OWNER}/once/*/action.yml`)),
    );
    await Promise.all(places.map((place) => place[Symbol.asyncDispose]()));
    expect(texts).toEqual(["name: once\nname: once\n", "name: once\n", "name: once\n"]);
    expect(lines.filter((line) => line.includes("/once@"))).toHaveLength(2);
    expect(await volumesOf(`${OWNER}/once`)).toHaveLength(2); // the volume and its marker
  });

  it("is there again when somebody removed its volume between two jobs", async () => {
    const action = await anAction("removed", "v1");
    const open = opener([]);
    await (await open([action]))[Symbol.asyncDispose]();
    const before = await volumesOf(`${OWNER}/removed`);
    for (const name of before) await removeVolume(docker, name);

    await using place = await open([action]);

    expect(await say(place, `cat /__w/_actions/${OWNER}/removed/v1/action.yml`)).toBe(
      "name: removed\n",
    );
    const after = await volumesOf(`${OWNER}/removed`);
    expect(before.filter((name) => after.includes(name))).toEqual(before.filter(isMarker));
  });

  it("is another one where another server has the same commit", async () => {
    const action = await anAction("servers", "v1");
    const open = opener([]);
    await (await open([{ ...action, server: "one.example" }]))[Symbol.asyncDispose]();
    await writeFile(join(action.folder, "action.yml"), "name: other\n");

    await using place = await open([{ ...action, server: "two.example" }]);

    const path = `/__w/_actions/${OWNER}/servers/v1/action.yml`;
    expect(await say(place, `cat ${path}`)).toBe("name: other\n");
  });

  it("is not seen by a job that does not ask for it", async () => {
    const action = await anAction("private", "v1");
    await using _asking = await open([action]);
    await using other = await open([]);

    expect(await say(other, "ls -A /__w/_actions")).toBe("");
  });

  it("is refused when its ref leads elsewhere", async () => {
    const action = await anAction("evil", "v1");

    await expect(open([{ ...action, ref: "../../../etc" }])).rejects.toMatchObject({
      code: "ACTION_INVALID",
    });
  });

  it("leaves nothing when its files cannot be read", async () => {
    const action = { ...(await anAction("broken", "v1")), folder: join(folder, "nothing") };

    await expect(open([action])).rejects.toThrow(/ENOENT/);

    expect(await volumesOf(`${OWNER}/broken`)).toEqual([]);
  });

  it("can be added to a container that runs, as root's", async () => {
    const added = await anAction("added", "v2");
    await using place = await open([await anAction("mounted", "v1")], { image: APP });

    await place.addActions?.([added], signal);

    const path = `/__w/_actions/${OWNER}/added/v2`;
    expect(await say(place, `cat ${path}/action.yml ${path}/link; ${path}/dist/run`)).toBe(
      "name: added\nname: added\nran\n",
    );
    expect(await say(place, `touch ${path}/x 2>/dev/null || echo no`)).toBe("no\n");
  });
});

describe("an archive that is unpacked in a job's container", () => {
  it.each([
    ["the image's user", undefined, APP, "1234 2345"],
    ["the options' user", { options: "--user 77:88 --read-only" }, ROOT, "77 88"],
  ])("belongs to %s", async (_what, container, image, owner) => {
    await using place = await open([], { container, image });
    const long = `${"d".repeat(90)}/${"f".repeat(90)}`;
    const tar = tarOf((archive) => {
      archive.entry({ name: "dir/", type: "directory", mode: 0o755, uid: 0 });
      archive.entry({ name: "dir/run", mode: 0o755, uid: 5, gid: 5 }, "#!/bin/sh\necho ran\n");
      archive.entry({ name: long, pax: { uid: "9", path: long } }, "long");
      archive.entry({ name: "link", type: "symlink", linkname: "dir/run" });
    });

    await place.unpack?.(tar, place.paths.workspace, signal);

    expect(
      await say(place, `./link; cat ${long}; echo; stat -c '%u %g' dir dir/run ${long} link`),
    ).toBe(`ran\nlong\n${`${owner}\n`.repeat(4)}`);
  });

  it("may be large, and is not gathered", async () => {
    await using place = await open([]);
    const megabytes = 300;
    const chunk = randomBytes(1_000_000);
    const tar = pack();
    const entry = tar.entry({ name: "big", size: megabytes * chunk.length });
    Readable.from(Array.from({ length: megabytes }, () => chunk)).pipe(entry);
    entry.on("finish", () => tar.finalize());
    const before = process.memoryUsage().rss;

    await place.unpack?.(Readable.from(tar), place.paths.workspace, signal);

    expect(await say(place, "stat -c %s big")).toBe(`${megabytes * chunk.length}\n`);
    expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000);
  });

  it("stops when it is aborted, and ends its source", async () => {
    await using place = await open([]);
    const stop = new AbortController();
    const archive = pack();
    archive.entry({ name: "slow", size: 1_000_000 }).write(Buffer.alloc(1000));
    const endless = Readable.from(archive);

    const unpacking = place.unpack?.(endless, place.paths.workspace, stop.signal);
    setTimeout(() => stop.abort(new Error("cancelled")), 100);

    await expect(unpacking).rejects.toThrow("cancelled");
    expect(endless.destroyed).toBe(true);
    expect(await say(place, "echo alive")).toBe("alive\n");
  });

  it("says what is wrong with it, or with the folder", async () => {
    await using place = await open([]);
    const torn = new PassThrough();
    torn.write(Buffer.alloc(100));
    setTimeout(() => torn.destroy(new Error("the source broke")), 50);

    await expect(place.unpack?.(torn, place.paths.workspace, signal)).rejects.toThrow(
      "the source broke",
    );
    const good = tarOf((archive) => archive.entry({ name: "a" }, "a"));
    await expect(place.unpack?.(good, "/__w/missing", signal)).rejects.toMatchObject({
      code: "ENGINE_REFUSED",
    });
  });
});

function isMarker(name: string): boolean {
  return /^berth-action-[0-9a-f]{32}$/.test(name);
}

/** A repository with an action: a program, a link and a file that only its owner may read. */
async function anAction(repo: string, ref: string): Promise<ActionRepository> {
  const at = await mkdtemp(join(folder, "action-"));
  await mkdir(join(at, "dist"));
  await writeFile(join(at, "action.yml"), `name: ${repo}\n`);
  await writeFile(join(at, "dist/run"), "#!/bin/sh\necho ran\n");
  await chmod(join(at, "dist/run"), 0o700);
  await writeFile(join(at, "private"), "");
  await chmod(join(at, "private"), 0o600);
  await symlink("action.yml", join(at, "link"));
  return { owner: OWNER, repo, ref, commit: randomBytes(20).toString("hex"), folder: at };
}

type Wish = { container?: Partial<ContainerSpec> | undefined; image?: string };

function open(actions: readonly ActionRepository[], wish: Wish = {}): Promise<JobPlace> {
  return opener([])(actions, wish);
}

/** Opens places as one process does for the jobs of a run. */
function opener(lines: string[]) {
  const images = new Map<string, string>();
  const opens = containerPlaces({
    engine: { docker, dockerConfigDir: folder },
    hostName: "test",
    imageFor: ([label]) => images.get(label ?? "") ?? ROOT,
    onLeak: (leak) => leaks.push(leak),
  });
  return (actions: readonly ActionRepository[], { container, image = ROOT }: Wish = {}) => {
    images.set(image, image);
    const spec = { image, env: {}, ports: [], volumes: [], options: "", ...container };
    const jobId = `actions-${process.pid}-${randomBytes(4).toString("hex")}`;
    return opens(
      {
        jobId,
        runId: `actions-${process.pid}`,
        repository: "repo",
        labels: [image],
        ...(container !== undefined && { container: spec }),
        actions,
      },
      { journal: undefined, progress: (line) => lines.push(line), placed() {}, signal },
    );
  };
}

async function say(place: JobPlace, script: string): Promise<string> {
  const chunks: Buffer[] = [];
  await place.shell.run(
    { argv: ["sh", "-c", script], cwd: place.paths.workspace, env: {} },
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

async function volumesOf(label: string): Promise<string[]> {
  const { Volumes: volumes } = await docker.listVolumes();
  return volumes
    .filter(({ Labels }) => Labels?.["io.berth.action"]?.startsWith(label))
    .map(({ Name }) => Name);
}
