import { expect, it } from "@jest/globals";
import type { HostPlaces } from "../../../src/fleet/host-places.ts";
import { jobShell } from "../../../src/fleet/job-shell.ts";
import { aJob } from "../store/records.ts";

const KEPT = { untilMs: 1, keys: [] };
const inContainer: NonNullable<HostPlaces["findContainer"]> = async () => ({
  ...{ endpoint: "unix:///run/docker.sock", containerId: "c1", workspace: "/__w/app/app" },
});

it.each([
  ["a job that runs", { state: "running" }, "7-1.a"],
  ["one that is kept after it has failed", { state: "completed", kept: KEPT }, "7-1.a"],
  ["its present try", { state: "running", retries: 1 }, "7-1.a.retry1"],
] as const)("leads into the container of %s", async (_, given, execution) => {
  const asked: string[] = [];
  const findContainer = (id: string) => {
    asked.push(id);
    return inContainer(id);
  };

  const shell = await jobShell(aJob("7-1.a", { host: "far", ...given }), () => ({ findContainer }));

  expect(shell).toMatchObject({ host: "far", containerId: "c1", workdir: "/__w/app/app" });
  expect(asked).toEqual([execution]);
});

it.each([
  ["it waits", { state: "queued" }, inContainer, "7-1.a does not run yet: it waits for a place."],
  [
    "it has ended",
    { state: "completed" },
    inContainer,
    "7-1.a has ended, and its container is gone.",
  ],
  [
    "its host has no engine",
    { state: "running" },
    undefined,
    expect.stringContaining("without a container engine"),
  ],
  [
    "its container is gone",
    { state: "running" },
    async () => undefined,
    "7-1.a has no container on far at this moment.",
  ],
  [
    "its host is silent",
    { state: "running" },
    () => Promise.reject(new Error("unplugged")),
    "far does not answer: unplugged",
  ],
] as const)(
  "says that there is no shell to open when %s",
  async (_, given, findContainer, refused) => {
    const host = findContainer === undefined ? {} : { findContainer };

    expect(await jobShell(aJob("7-1.a", { host: "far", ...given }), () => host)).toEqual({
      refused,
    });
  },
);
