import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { readdir, readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import type Docker from "dockerode";
import { readJobLog } from "../../src/store/read-job-log.ts";
import {
  startServiceOnLocalhub,
  type TestService,
} from "../../test/service/service-on-localhub.ts";
import { bareJobMs } from "./bare-engine.ts";
import { type Figures, medians, middle } from "./figures.ts";

const ROUNDS = 11;
const CI = `
on: push
jobs:
  bench:
    runs-on: [self-hosted, berth]
    steps:
      - run: echo "it is $EPOCHREALTIME"
`;

/** What happened on the way of one job, in milliseconds since its webhook was answered. */
type Way = {
  readonly tokenMs: number;
  readonly stepMs: number;
  /** Of GitHub's API. */
  readonly requestsBefore: number;
  readonly requests: number;
};

/**
 * How long it takes from the answer to a job's webhook to its first step, `berth serve` beside a GitHub on this machine that takes no
 * time, and what that is beside the engine calls of a container.
 */
export async function measureService(
  note: Figures["note"],
  { docker, image }: { readonly docker: Docker; readonly image: string },
): Promise<void> {
  const files = { ".github/workflows/ci.yml": CI };
  await using service = await startServiceOnLocalhub({ files });
  note("service at rest, resident", (await residentBytes(service.pid())) / 1e6, "MB", 150);

  const ways: Way[] = [];
  const [bare, step] = await medians(ROUNDS, [
    () => bareJobMs(docker, image),
    async () => {
      const way = await runOne(service, ways.length);
      ways.push(way);
      return way.stepMs;
    },
  ]);
  const middleOf = (read: (way: Way) => number) => middle(ways.slice(1).map(read));
  note("event accepted until its job's first step prints", step, "ms");
  note(
    "… until the job is planned and placed",
    middleOf(({ tokenMs }) => tokenMs),
    "ms",
  );
  note(
    "… requests to GitHub until then",
    middleOf(({ requestsBefore }) => requestsBefore),
    "",
  );
  note(
    "… requests to GitHub for the whole run",
    middleOf(({ requests }) => requests),
    "",
  );
  note("the engine calls of a job, bare and side by side", bare, "ms");
  note("… event until the first step / bare", step / bare, "×");
}

async function runOne(service: TestService, round: number): Promise<Way> {
  using seen = watchHttp();
  await service.push({ "a.txt": String(round) });
  const run = service.hub.runs().at(-1);
  await service.until(() => service.hub.runs().at(-1)?.status === "completed");

  const acceptedAt = seen.acceptedAt();
  const token = seen.requests.find(({ path }) => path.endsWith("/access_tokens"));
  if (acceptedAt === undefined || token === undefined) throw new Error("The job did not run.");
  return {
    tokenMs: token.at - acceptedAt,
    stepMs: (await stepAt(service, `${run?.id}-`)) - acceptedAt,
    requestsBefore: seen.requests.filter(({ at }) => at <= token.at).length,
    requests: seen.requests.length,
  };
}

/** What the step of the run's job says of its time. */
async function stepAt({ folder }: TestService, run: string): Promise<number> {
  const jobs = join(folder, "store/jobs");
  const name = (await readdir(jobs)).find((one) => one.startsWith(run));
  for await (const event of readJobLog(join(jobs, name ?? run))) {
    const time = event.type === "log" && /^it is (\d+\.\d+)$/.exec(event.line)?.[1];
    if (time) return Number(time) * 1000;
  }
  throw new Error("The step said nothing.");
}

type Seen = Disposable & {
  readonly requests: readonly { readonly at: number; readonly path: string }[];
  /** When the first event of a job was answered. */
  acceptedAt(): number | undefined;
};

/** Of the hub, which is in this process: what it is asked, and its webhooks. */
function watchHttp(): Seen {
  const requests: { at: number; path: string }[] = [];
  let acceptedAt: number | undefined;
  const now = () => performance.timeOrigin + performance.now();
  const onRequest = (message: unknown) => {
    const { url = "" } = (message as { request: IncomingMessage }).request;
    if (url.startsWith("/api/v3/")) requests.push({ at: now(), path: url });
  };
  const onAnswer = (message: unknown) => {
    const { request } = message as { request: { headers: unknown } };
    if (/\bworkflow_job\b/.test(String(request.headers))) acceptedAt ??= now();
  };
  subscribe("http.server.request.start", onRequest);
  subscribe("undici:request:headers", onAnswer);
  return {
    requests,
    acceptedAt: () => acceptedAt,
    [Symbol.dispose]() {
      unsubscribe("http.server.request.start", onRequest);
      unsubscribe("undici:request:headers", onAnswer);
    },
  };
}

async function residentBytes(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}
