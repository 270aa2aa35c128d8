import { beforeAll, expect, it } from "@jest/globals";
import type Docker from "dockerode";
import { freeDisk } from "../../../src/containers/free-disk.ts";
import { hasImage } from "../../../src/containers/images.ts";
import { KIND_LABEL } from "../../../src/containers/labels.ts";
import { testEngine } from "../../engine.ts";
import { tinyImage } from "./tiny-image.ts";

const CACHE = [`LABEL ${KIND_LABEL}=cache`];
const name = (of: string) => `berth-test/free-disk-${process.pid}:${of}`;
const signal = AbortSignal.timeout(60_000);
let docker: Docker;

beforeAll(async () => {
  ({ docker } = await testEngine());
});

it("removes what was not used for longest, and no more than is needed", async () => {
  await using old = await tinyImage(docker, name("old"), { changes: CACHE });
  const other = await tinyImage(docker, name("other"), { changes: CACHE });
  await using users = await tinyImage(docker, name("users"));
  // Used since: it is given its name again.
  await docker.getImage(old.tag).tag({ repo: old.tag.replace(/:old$/, ""), tag: "old" });

  const freed = await freeDisk(docker, {
    freeBytes: counting(1),
    keepFreeBytes: 2,
    needed: allBut(old.tag, other.tag, users.tag),
    signal,
  });

  expect(freed).toEqual({ removed: [other.tag], freeBytes: 2 });
  expect(await hasImage(docker, old.tag)).toBe(true);
});

it("leaves what is a user's, is needed next or used by a container, however little is free", async () => {
  await using users = await tinyImage(docker, name("users"));
  await using used = await tinyImage(docker, name("used"), { changes: CACHE });
  await using needed = await tinyImage(docker, name("needed"), { changes: CACHE });
  const container = await docker.createContainer({ Image: used.tag, Cmd: ["/bin/sh"] });
  try {
    const freed = await freeDisk(docker, {
      freeBytes: async () => 0,
      keepFreeBytes: 2,
      needed: allBut(users.tag, used.tag),
      signal,
    });

    expect(freed.removed).toEqual([]);
    expect(await hasImage(docker, users.tag)).toBe(true);
    expect(await hasImage(docker, needed.tag)).toBe(true);
  } finally {
    await container.remove();
  }
});

it("touches nothing where enough is free", async () => {
  await using cache = await tinyImage(docker, name("kept"), { changes: CACHE });

  const freed = await freeDisk(docker, {
    freeBytes: async () => 3,
    keepFreeBytes: 3,
    needed: allBut(cache.tag),
    signal,
  });

  expect(freed).toEqual({ removed: [], freeBytes: 3 });
});

/** Caches of others on this engine are left alone. */
function allBut(...own: string[]) {
  return { has: (cache: string) => !own.includes(cache) };
}

/** One byte more each time. */
function counting(first: number): () => Promise<number> {
  let next = first;
  return async () => next++;
}
