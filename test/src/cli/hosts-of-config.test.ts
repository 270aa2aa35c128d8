import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { hostsOfConfig } from "../../../src/cli/hosts-of-config.ts";
import { lastProbes } from "../../../src/store/known-hosts.ts";
import { openStore } from "../../../src/store/open-store.ts";
import { aMachine, anEngine } from "../hosts/host-facts.ts";
import { temporaryFolder } from "../store/records.ts";

const { signal } = new AbortController();
let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

/** A machine that cannot be reached. */
const off = {
  name: "gpu-1",
  ssh: "me@127.0.0.1:1",
  ...{ slots: 2, sudo: true, images: [], keepFreeDisk: { bytes: 0 } },
  setup: { mode: "plan", allow: [] },
} as const;

it("tells of a host that does not answer what was known of it, and since when", async () => {
  {
    await using store = await openStore(folder.path);
    const facts = aMachine({ name: "gpu-1", cpus: 64, engines: [anEngine()] });
    await store.hosts.remember("gpu-1", facts, Date.UTC(2026, 0, 2, 3, 4, 5));
  }

  const known = lastProbes(folder.path);
  const [host] = await hostsOfConfig([off], { service: undefined, lastProbes: known, signal });

  expect(host).toMatchObject({
    capability: { cpus: 64 },
    closed: expect.stringMatching(
      /cannot be reached over SSH.* Last seen at 2026-01-02T03:04:05Z\.$/s,
    ),
  });
});

it("knows nothing where no service ever ran", async () => {
  const [host] = await hostsOfConfig([off], {
    service: undefined,
    lastProbes: lastProbes(`${folder.path}/none`),
    signal,
  });

  expect(host).toMatchObject({
    capability: undefined,
    closed: expect.not.stringContaining("Last"),
  });
});
