import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { migrate } from "../../../src/store/migrate.ts";
import { MIGRATIONS } from "../../../src/store/migrations.ts";
import { databaseFile } from "../../../src/store/open-database.ts";
import { createStore, openStore } from "../../../src/store/open-store.ts";
import type { Store } from "../../../src/store/store.ts";
import { aDelivery, aGitHubJob, aJob, aLease, aRun, temporaryFolder } from "./records.ts";

let folder: ReturnType<typeof temporaryFolder>;
let store: Store;
beforeEach(async () => {
  folder = temporaryFolder();
  store = await openStore(folder.path);
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

describe("what the store keeps", () => {
  it("is there again for the next process", async () => {
    const run = aRun("7-1", { facts: { jobs: [1, null] }, rerunOf: { runId: "6-1", jobs: ["a"] } });
    const job = aJob("7-1.test", { checkRunId: 5, outputs: { a: "1" } });
    const lease = aLease("7-1.test", { gpus: ["GPU-1"] });
    const trigger = { ...aDelivery("d"), deliveryId: "d", repositoryId: 1 };
    const { id: _, ...kept } = trigger;
    await store.runs.put(run);
    await store.jobs.put(job);
    await store.leases.add(lease);
    await store.triggers.add(kept);
    await store.githubJobs.put(aGitHubJob(3));
    await store.hosts.setDrained("two", true);
    await store.hosts.remember("one", { cpus: 2 }, 5);
    await store.hosts.remember("one", { cpus: 4, gpus: [] }, 7);
    await store.history.add({ jobId: job.id, atMs: 1, message: "queued" });
    await store.notes.set("sweep", "1");
    await store.notes.set("sweep", "2");
    await store[Symbol.asyncDispose]();

    await using next = await openStore(folder.path);

    expect(await next.runs.open()).toEqual([run]);
    expect(await next.jobs.get(job.id)).toEqual(job);
    expect(await next.jobs.ofRun("7-1")).toEqual([job]);
    expect(await next.jobs.byCheckRun(5)).toEqual(job);
    expect(await next.leases.all()).toEqual([lease]);
    expect(await next.triggers.find({ repositoryId: 1, event: "push" })).toEqual([kept]);
    expect(await next.githubJobs.ofRun(7, 1)).toEqual([aGitHubJob(3)]);
    expect(await next.hosts.drained()).toEqual(["two"]);
    expect(await next.hosts.known()).toEqual([
      { name: "one", atMs: 7, facts: { cpus: 4, gpus: [] } },
    ]);
    expect(await next.history.ofJob(job.id)).toEqual([
      { jobId: job.id, atMs: 1, message: "queued" },
    ]);
    expect(await next.notes.get("sweep")).toBe("2");
  });

  it("is found by what it is looked for, in order", async () => {
    await store.runs.put(aRun("7-1"));
    await store.runs.put(aRun("8-1", { state: "new", createdAtMs: 500 }));
    await store.runs.put(aRun("9-1", { state: "left" }));
    await store.jobs.put(aJob("a"));
    await store.jobs.put(aJob("b", { createdAtMs: 2000, state: "completed" }));
    await store.jobs.put(aJob("c", { createdAtMs: 3000, state: "running" }));
    await store.jobs.put(aJob("d", { state: "completed", isReported: true }));

    const ids = (records: readonly { id: string }[]) => records.map(({ id }) => id);
    expect(ids(await store.runs.open())).toEqual(["8-1", "7-1"]);
    expect(ids(await store.jobs.list({ isOpen: true, limit: 9 }))).toEqual(["c", "a"]);
    expect(ids(await store.jobs.list({ isOpen: false, limit: 2 }))).toEqual(["c", "b"]);
    expect(ids(await store.jobs.unreported())).toEqual(["b"]);
    expect(await store.jobs.get("nope")).toBeUndefined();
    expect(await store.notes.get("nope")).toBeUndefined();
  });

  it("has a run's jobs still when the run has changed", async () => {
    await store.runs.put(aRun("7-1"));
    await store.jobs.put(aJob("a"));
    await store.runs.put(aRun("7-1", { state: "ended" }));
    await store.jobs.put(aJob("a", { state: "completed", checkRunId: 9 }));

    expect(await store.runs.get("7-1")).toMatchObject({ state: "ended" });
    expect(await store.jobs.byCheckRun(9)).toMatchObject({ id: "a", state: "completed" });
  });

  it("has no job of a run that is not there", async () => {
    await expect(store.jobs.put(aJob("a"))).rejects.toThrow("is of run 7-1, which is not in");
  });

  it("has a delivery once, and only its id when it was handled", async () => {
    expect(await store.deliveries.add(aDelivery("2", { receivedAtMs: 2 }))).toBe(true);
    expect(await store.deliveries.add(aDelivery("1", { receivedAtMs: 1 }))).toBe(true);
    expect(await store.deliveries.add(aDelivery("2", { payload: { other: 1 } }))).toBe(false);
    await store.deliveries.markHandled("1", "nobody knows it");

    expect(await store.deliveries.unhandled(9)).toEqual([aDelivery("2", { receivedAtMs: 2 })]);
    expect(await store.deliveries.has("1")).toBe(true);
    expect(await store.deliveries.add(aDelivery("1"))).toBe(false);
    expect(await store.deliveries.has("3")).toBe(false);
  });

  it("is for its owner only", async () => {
    const inner = join(folder.path, "made/here");
    await using made = await openStore(inner);
    await made.notes.set("a", "b");

    const modes = readdirSync(inner).map((name) => [
      name,
      (statSync(join(inner, name)).mode & 0o777).toString(8),
    ]);
    expect(statSync(inner).mode & 0o777).toBe(0o700);
    expect(modes.sort()).toEqual(
      ["berth.db", "berth.db-shm", "berth.db-wal"].map((name) => [name, "600"]),
    );
  });
});

describe("leases", () => {
  it("give a job one, and a GPU of a host to one job", async () => {
    await store.leases.add(aLease("a", { gpus: ["GPU-1", "GPU-2"] }));

    await expect(store.leases.add(aLease("a"))).rejects.toThrow("job a has a lease already");
    await expect(store.leases.add(aLease("b", { gpus: ["GPU-3", "GPU-2"] }))).rejects.toThrow(
      "GPU GPU-2 of one is leased to job a, and job b wants it",
    );
    await store.leases.add(aLease("c", { host: "two", gpus: ["GPU-1"] }));
    expect((await store.leases.all()).map(({ jobId }) => jobId)).toEqual(["a", "c"]);

    await store.leases.remove("a");
    await store.leases.add(aLease("b", { gpus: ["GPU-3", "GPU-2"] }));
  });

  it("are promised once, however many ask in the same moment", async () => {
    const asked = Array.from({ length: 50 }, (_, index) =>
      store.leases.add(aLease(`job-${index}`, { gpus: [`GPU-${index % 7}`] })),
    );

    const won = (await Promise.allSettled(asked)).filter(({ status }) => status === "fulfilled");

    expect(won).toHaveLength(7);
    expect(await store.leases.all()).toHaveLength(7);
  });
});

describe("many at once", () => {
  it("are committed together, and one that fails takes no other with it", async () => {
    await store.leases.add(aLease("taken", { gpus: ["GPU-1"] }));
    const order: string[] = [];
    const note = (name: string, work: Promise<unknown>) =>
      work.then(
        () => order.push(name),
        () => order.push(`${name} failed`),
      );

    await Promise.all([
      note("first", store.deliveries.add(aDelivery("1"))),
      note("lease", store.leases.add(aLease("b", { gpus: ["GPU-0", "GPU-1"] }))),
      note("read", store.deliveries.has("1")),
      note("orphan", store.jobs.put(aJob("a"))),
      note("last", store.deliveries.add(aDelivery("2"))),
    ]);

    expect(order).toEqual(["first", "lease failed", "read", "orphan failed", "last"]);
    expect(await store.deliveries.unhandled(9)).toHaveLength(2);
    expect(await store.leases.all()).toHaveLength(1);
  });

  it("read what was written before them in the same turn", async () => {
    const [, has, again] = await Promise.all([
      store.deliveries.add(aDelivery("1")),
      store.deliveries.has("1"),
      store.deliveries.add(aDelivery("1")),
    ]);

    expect([has, again]).toEqual([true, false]);
  });

  it("are all done when the store is closed, and nothing is after it", async () => {
    const adding = Array.from({ length: 100 }, (_, id) =>
      store.deliveries.add(aDelivery(String(id))),
    );
    await store[Symbol.asyncDispose]();

    expect(await Promise.all(adding)).toEqual(Array(100).fill(true));
    await expect(store.deliveries.has("1")).rejects.toMatchObject({ code: "STORE_UNUSABLE" });
  });
});

describe("kill -9", () => {
  it("loses nothing of what was acknowledged", async () => {
    const child = spawn(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", join(import.meta.dirname, "adds-deliveries.ts")],
      { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, FOLDER: folder.path } },
    );
    const acknowledged: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged.push(line);
      if (acknowledged.length === 200) child.kill("SIGKILL");
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");

    await store[Symbol.asyncDispose]();
    store = await openStore(folder.path);
    const kept = new Set((await store.deliveries.unhandled(1e6)).map(({ id }) => id));

    expect(acknowledged.length).toBeGreaterThanOrEqual(200);
    expect(acknowledged.filter((id) => !kept.has(id))).toEqual([]);
  });
});

describe("a store that cannot be used says why", () => {
  const refused = (message: string) => ({
    code: "STORE_UNUSABLE",
    message: expect.stringContaining(message),
  });

  it("when another process writes for too long", async () => {
    await using impatient = await openStore(folder.path, { busyMs: 20 });
    using other = new DatabaseSync(databaseFile(folder.path));
    other.exec("BEGIN IMMEDIATE");

    await expect(impatient.notes.set("a", "b")).rejects.toMatchObject(
      refused(`${databaseFile(folder.path)} is locked by another process`),
    );
    expect(await impatient.notes.get("a")).toBeUndefined();
    other.exec("ROLLBACK");
    await impatient.notes.set("a", "c");
  });

  it("when the disk is full, and goes on when it is not any more", async () => {
    const database = new DatabaseSync(join(folder.path, "small.db"));
    migrate(database, MIGRATIONS, "small.db");
    const { page_count: pages } = database.prepare("PRAGMA page_count").get() ?? {};
    database.exec(`PRAGMA max_page_count = ${Number(pages) + 5}`);
    await using small = createStore(database, "small.db");
    const large = aDelivery("large", { payload: { text: "x".repeat(1e6) } });

    const results = await Promise.allSettled([
      small.deliveries.add(aDelivery("1")),
      small.deliveries.add(large),
      small.deliveries.add(aDelivery("2")),
    ]);

    expect(results).toMatchObject([
      { value: true },
      { reason: refused("The disk that holds small.db is full") },
      { value: true },
    ]);
    expect(await small.deliveries.unhandled(9)).toHaveLength(2);
    database.exec("PRAGMA max_page_count = 100000");
    expect(await small.deliveries.add(large)).toBe(true);
  });

  it("when the file is no database", async () => {
    const broken = join(folder.path, "broken");
    mkdirSync(broken);
    writeFileSync(join(broken, "berth.db"), "what is this? ".repeat(1000));

    await expect(openStore(broken)).rejects.toMatchObject(refused("is damaged, or is no database"));
  });

  it("when a page of it is damaged", async () => {
    await store.deliveries.add(aDelivery("1", { payload: { text: "x".repeat(1e5) } }));
    await store[Symbol.asyncDispose]();
    const size = statSync(databaseFile(folder.path)).size;
    writeFileSync(databaseFile(folder.path), Buffer.alloc(size - 4096, 0xa5), {
      flag: "r+",
    });

    await expect(openStore(folder.path)).rejects.toMatchObject(refused("is damaged"));
  });

  it("when the folder cannot be made", async () => {
    writeFileSync(join(folder.path, "file"), "");

    await expect(openStore(join(folder.path, "file/store"))).rejects.toMatchObject(
      refused("cannot be made: a file is in the way"),
    );
  });

  it("when it is of a newer version", async () => {
    const newer = MIGRATIONS.length + 1;
    using database = new DatabaseSync(databaseFile(folder.path));
    database.exec(`PRAGMA user_version = ${newer}`);

    await expect(openStore(folder.path)).rejects.toMatchObject(
      refused(`of a newer Berth: its version is ${newer}, and this one knows ${MIGRATIONS.length}`),
    );
  });
});

describe("an older database", () => {
  it("gets the new tables and keeps what it has", async () => {
    const old = temporaryFolder();
    using _ = old;
    const database = new DatabaseSync(databaseFile(old.path));
    migrate(database, MIGRATIONS.slice(0, 1), "berth.db");
    database.exec("INSERT INTO notes (key, value) VALUES ('kept', 'yes')");
    database.close();

    {
      await using next = await openStore(old.path);
      expect(await next.notes.get("kept")).toBe("yes");
    }
    using now = new DatabaseSync(databaseFile(old.path));
    expect(now.prepare("PRAGMA user_version").get()).toEqual({ user_version: MIGRATIONS.length });
    expect(now.prepare("SELECT count(*) AS n FROM secrets").get()).toEqual({ n: 0 });
  });

  it("stays as it was when a step fails", () => {
    using database = new DatabaseSync(":memory:");
    migrate(database, ["CREATE TABLE one (a)"], "x");

    const steps = ["CREATE TABLE one (a)", "CREATE TABLE two (a)", "CREATE TABLE three (a); OOPS"];
    expect(() => migrate(database, steps, "x")).toThrow("OOPS");

    const tables = database.prepare("SELECT name FROM sqlite_schema ORDER BY name").all();
    expect(tables.map(({ name }) => name)).toEqual(["one", "two"]);
  });
});
