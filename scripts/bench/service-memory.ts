import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import type { LocalHubOptions } from "../../src/localhub/hub-options.ts";
import { startLocalHub } from "../../src/localhub/start-local-hub.ts";
import type { Figures } from "./figures.ts";

/** Bytes, after a collection. */
export type MemoryAnswer = {
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
};

const JOBS = 50;
const SAID = "sleeping-now";
const MB = 1e6;
const REPOSITORY = "octo/hello";
const WORKFLOW = ".github/workflows/ci.yml";
const LOOK_AGAIN_MS = 200;
const PATIENCE_MS = 120_000;
/** The first updates of the checks. */
const SETTLE_MS = 3000;

/** What jobs that run cost the service, which runs them as shells of this machine. */
export async function measureServiceMemory(note: Figures["note"]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "berth-bench-"));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const hub = stack.use(await startLocalHub(hubOptions()));
  const child = await startService(hub, folder);
  stack.defer(() => end(child));

  // Once through everything, as many at once, so that only jobs that run are counted below.
  await run(JOBS, "true");
  const areAllOver = () => hub.runs().every(({ status }) => status === "completed");
  await until("the first jobs end", areAllOver);
  const idle = await memoryOf(child);
  await run(JOBS, `echo ${SAID}; sleep 3600`);
  await until("all jobs sleep", async () => (await sleeping(folder)) === JOBS);
  const busy = await memoryOf(child);
  const last = hub.runs().at(-1);
  if (last !== undefined) hub.cancelRun(last.id);
  await until("the jobs are cancelled", areAllOver);

  const what = `service memory at ${JOBS} jobs on the local backend, per job`;
  note(`${what}, resident`, (busy.rss - idle.rss) / JOBS / MB, "MB", 1);
  const heap = busy.heapUsed + busy.external - idle.heapUsed - idle.external;
  note("… on the heap and beside it", heap / JOBS / MB, "MB");

  async function run(jobs: number, script: string): Promise<void> {
    const files = { [WORKFLOW]: workflow(jobs, script) };
    await hub.commit(REPOSITORY, { branch: "main", message: "Change", files });
  }
}

function hubOptions(): LocalHubOptions {
  const repositories = [{ name: "hello", files: { [WORKFLOW]: workflow(1, "true") } }];
  return {
    organizations: [{ login: "octo", repositories }],
    webhook: { secret: "s3cret" },
  };
}

function workflow(jobs: number, script: string): string {
  const numbers = Array.from({ length: jobs }, (_, n) => n);
  return stringify({
    on: "push",
    jobs: {
      bench: {
        "runs-on": ["self-hosted", "berth"],
        strategy: { matrix: { n: numbers } },
        steps: [{ run: script }],
      },
    },
  });
}

async function startService(
  hub: Awaited<ReturnType<typeof startLocalHub>>,
  folder: string,
): Promise<ChildProcess> {
  await writeFile(join(folder, "key.pem"), hub.app.privateKey, { mode: 0o600 });
  const config = {
    github: {
      ...{ url: hub.url, apiUrl: hub.apiUrl, webhookSecret: "s3cret" },
      app: { id: hub.app.id, privateKeyFile: "key.pem" },
    },
    listen: "127.0.0.1:0",
    hosts: [{ name: "here", slots: 100 }],
    store: { path: "store" },
  };
  const file = join(folder, "berth.yml");
  await writeFile(file, stringify(config));
  const child = fork(join(import.meta.dirname, "local-service.ts"), [file, folder], {
    execArgv: ["--expose-gc"],
  });
  const [url] = (await once(child, "message")) as [string];
  hub.setWebhook(`${url}/webhooks/github`, "s3cret");
  return child;
}

async function memoryOf(child: ChildProcess): Promise<MemoryAnswer> {
  await sleep(SETTLE_MS);
  const answer = once(child, "message");
  child.send("memory");
  const [memory] = (await answer) as [MemoryAnswer];
  return memory;
}

/** How many jobs' logs say that their step is there. */
async function sleeping(folder: string): Promise<number> {
  const names = await readdir(join(folder, "store/jobs"), { recursive: true });
  const logs = names.filter((name) => /events\.[^/]+\.jsonl$/.test(name));
  const texts = await Promise.all(
    logs.map((name) => readFile(join(folder, "store/jobs", name), "utf8").catch(() => "")),
  );
  return texts.filter((text) => text.includes(`"line":"${SAID}"`)).length;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.disconnect();
  await exit;
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (Date.now() > giveUpAt) throw new Error(`Waited in vain until ${what}.`);
    await sleep(LOOK_AGAIN_MS);
  }
}
