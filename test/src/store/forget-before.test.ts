import { expect, it } from "@jest/globals";
import { openStore } from "../../../src/store/open-store.ts";
import { aDelivery, aGitHubJob, aJob, aLease, aRun, temporaryFolder } from "./records.ts";

it("forgets what ended before then, and nothing that is open or belongs to it", async () => {
  using folder = temporaryFolder();
  await using store = await openStore(folder.path);
  const { runs, jobs, deliveries, triggers, githubJobs, leases, history } = store;
  const old = { createdAtMs: 10 };
  const put = async (id: string, state: "ended" | "adopted" | "new" | "left", given = {}) => {
    const [run = ""] = id.split("-");
    await runs.put(aRun(id, { ...old, state, githubRunId: Number(run), ...given }));
    await githubJobs.put(aGitHubJob(Number(run), { ...old, githubRunId: Number(run) }));
  };
  const job = async (runId: string, given = {}) => {
    const id = `${runId}.test`;
    await jobs.put(aJob(id, { runId, ...old, state: "completed", completedAtMs: 20, ...given }));
    await history.add({ jobId: id, atMs: 10, message: "queued" });
  };
  await put("1-1", "ended");
  await job("1-1");
  await put("2-1", "adopted");
  await job("2-1");
  await put("3-1", "ended");
  await job("3-1", { completedAtMs: 200 });
  await put("4-1", "ended");
  await job("4-1", { state: "running", completedAtMs: undefined });
  await put("5-1", "left");
  await put("6-1", "ended");
  await job("6-1");
  await put("6-1-2", "adopted", { rerunOf: { runId: "6-1", jobs: ["test"] } });
  await put("7-1", "ended");
  await job("7-1");
  await leases.add(aLease("7-1.test"));
  await put("8-1", "ended", { createdAtMs: 300 });
  await githubJobs.put(aGitHubJob(8, { githubRunId: 8, ...old, completedAtMs: 300 }));
  await put("9-1", "new", { repositoryId: 2 });
  for (const [id, receivedAtMs] of Object.entries({ old: 10, open: 10, young: 300 })) {
    await deliveries.add(aDelivery(id, { receivedAtMs }));
    if (id !== "open") await deliveries.markHandled(id);
    for (const repositoryId of [1, 2]) {
      const { payload, event } = aDelivery(id);
      const deliveryId = `${id}-${repositoryId}`;
      await triggers.add({ deliveryId, event, payload, repositoryId, receivedAtMs });
    }
  }

  const gone = await store.forgetBefore(100);

  expect(gone).toEqual(["1-1.test"]);
  const left = await Promise.all(
    [1, 2, 3, 4, 5, 6, 7, 8, 9].map(async (id) => (await runs.get(`${id}-1`))?.id),
  );
  expect(left.filter(Boolean)).toEqual(["2-1", "3-1", "4-1", "6-1", "7-1", "8-1", "9-1"]);
  expect(await jobs.get("1-1.test")).toBeUndefined();
  expect(await history.ofJob("1-1.test")).toEqual([]);
  expect(await history.ofJob("2-1.test")).toHaveLength(1);
  const ofGitHub = await Promise.all([1, 2, 3, 5, 6, 8, 9].map((id) => githubJobs.get(id)));
  expect(ofGitHub.flatMap((one) => one?.id ?? [])).toEqual([2, 6, 8, 9]);
  const known = ["old", "open", "young"].map((id) => deliveries.has(id));
  expect(await Promise.all(known)).toEqual([false, true, true]);
  const find = async (repositoryId: number) =>
    (await triggers.find({ repositoryId, event: "push" })).map(({ deliveryId }) => deliveryId);
  expect(await find(1)).toEqual(["young-1"]);
  expect(await find(2)).toEqual(["young-2", "open-2", "old-2"]);
  expect(await store.forgetBefore(100)).toEqual([]);
});
